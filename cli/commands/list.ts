import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import { printJson } from '../output/output.ts'
import { table } from '../output/table.ts'

/** Prints the cluster's live workers, slots or live proxies. */
export async function list(kind: 'workers' | 'slots' | 'proxies', config: Config, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const rows = await client.list(kind)
    if (json) printJson(rows)
    else process.stdout.write(rows.length === 0 ? `no ${kind}\n` : table(rows))
  } finally {
    await client.close()
  }
}
