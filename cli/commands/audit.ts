import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import { printJson } from '../output/output.ts'
import { table } from '../output/table.ts'

/** Prints who changed what, newest first. */
export async function audit(config: Config, limit: number, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const entries = await client.audit(limit)
    if (json) return printJson(entries)
    const rows = entries.map(({ time, who, what, target, before, after }) => ({
      time,
      who,
      what,
      target,
      before,
      after,
    }))
    process.stdout.write(rows.length === 0 ? 'nobody has changed anything\n' : table(rows))
  } finally {
    await client.close()
  }
}
