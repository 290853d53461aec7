import type { Config } from '../../../config/config.ts'
import { ControllerClient } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'

/** Clears one fault, or all that were set by themselves (null). */
export async function clearFaults(config: Config, name: string | null, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const { revision, cleared } = await client.clearFaults(name)
    if (json) printJson({ revision, cleared })
    else if (cleared.length === 0) process.stdout.write('no fault was set\n')
    else for (const each of cleared) process.stdout.write(`fault ${each} is cleared\n`)
  } finally {
    await client.close()
  }
}
