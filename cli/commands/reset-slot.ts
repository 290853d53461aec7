import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import { printJson } from '../output/output.ts'

interface ResetOptions {
  slot: string
  /** `oldest`, `end`, or an offset. */
  to: string | number
  json: boolean
}

/** Lets a halted slot go on from another place of its log: what lies between is skipped, or comes again. */
export async function resetSlot(config: Config, { slot, to, json }: ResetOptions): Promise<void> {
  const client = new ControllerClient(config)
  try {
    await client.resetSlot(slot, to)
    if (json) printJson({ slot, to })
    else process.stdout.write(`${slot} goes on from ${to}\n`)
  } finally {
    await client.close()
  }
}
