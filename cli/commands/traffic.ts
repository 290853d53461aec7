import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import type { GroupTrafficState } from '../client/client.ts'
import { printJson } from '../output/output.ts'
import { table } from '../output/table.ts'

/** Prints how slots are to be shared among versions, and are. */
export async function traffic(config: Config, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const groups = await client.traffic()
    if (json) printJson(groups)
    else process.stdout.write(groups.length === 0 ? 'no slots\n' : table(groups.flatMap(rowsOf)))
  } finally {
    await client.close()
  }
}

function rowsOf({ group, weight_by: by, quantum, moving, versions }: GroupTrafficState): Record<string, unknown>[] {
  return versions.map(({ version, desired, slots, slots_percent: had, traffic_percent: measured }) => ({
    group,
    version,
    by,
    desired: `${desired} %`,
    'by slots': `${had} %`,
    'by traffic': measured === null ? null : `${measured} %`,
    slots,
    moving,
    'one slot': `${quantum} %`,
  }))
}
