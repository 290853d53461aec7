import type { Config } from '../../../config/config.ts'
import { ControllerClient } from '../../client/client.ts'
import type { FaultView } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'
import { table } from '../../output/table.ts'
import { timeLeft } from '../../output/time-left.ts'

/** Prints the faults that are set, and which processes do not follow them. */
export async function listFaults(config: Config, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const found = await client.faults()
    if (json) return printJson(found)
    const { faults, processes, revision } = found
    process.stdout.write(faults.length === 0 ? 'no fault is set\n' : table(faults.map(rowOf)))
    for (const { role, id, revision: has, rejected } of processes) {
      if (rejected !== null) process.stdout.write(`${role} ${id} rejects them: ${rejected}\n`)
      else if (faults.length > 0 && has !== revision) process.stdout.write(`${role} ${id} does not follow them yet\n`)
    }
  } finally {
    await client.close()
  }
}

function rowOf({ name, stage, match, delay, abort, kill, left_ms: leftMs }: FaultView) {
  const does = [
    delay && `delay ${delay.fixedDelay} ${delay.percentage.value}%`,
    abort && `abort ${abort.percentage.value}%`,
    kill && `kill ${kill.percentage.value}%`,
  ]
  return {
    name,
    stage,
    does: does.filter((each) => each !== undefined).join(', '),
    of: match === undefined ? 'all' : JSON.stringify(match),
    left: leftMs === null ? null : timeLeft(leftMs),
  }
}
