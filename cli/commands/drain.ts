import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import type { DrainState } from '../client/client.ts'
import { ControllerError } from '../client/errors.ts'
import { printJson } from '../output/output.ts'

/** Time between two looks at a drain. */
export const drainPollMs = 50
/** Time without a controller after which a drain under way is given up; a restarted one is back sooner. */
export const controllerAbsenceMaxMs = 10_000

interface DrainOptions {
  id: string
  force: boolean
  json: boolean
}

/** Takes every slot from a worker, and returns once it owns nothing and has nothing on its way. */
export async function drainWorker(config: Config, { id, force, json }: DrainOptions): Promise<void> {
  const client = new ControllerClient(config)
  const say = (line: string) => json || process.stdout.write(`${line}\n`)
  try {
    await client.drain(id, force)
    say(`draining ${id}`)
    const { pauses_ms } = await drained(client, id, say)
    const pauses = summary(pauses_ms)
    if (json) printJson({ id, state: 'drained', pauses })
    else if (pauses.count === 0) say(`${id} is drained; it owned no slot`)
    else {
      const { count, p50_ms, p99_ms, max_ms } = pauses
      say(`${id} is drained; pauses of ${count} slots: p50 ${p50_ms} ms, p99 ${p99_ms} ms, max ${max_ms} ms`)
    }
  } finally {
    await client.close()
  }
}

async function drained(client: ControllerClient, id: string, say: (line: string) => void): Promise<DrainState> {
  let heardAt = performance.now()
  let said = ''
  for (;;) {
    const state = await client.drainState(id).catch((error: unknown) => {
      const passing = error instanceof ControllerError && error.code === 'unreachable'
      if (!passing || performance.now() - heardAt > controllerAbsenceMaxMs) throw error
    })
    if (state) {
      heardAt = performance.now()
      if (state.state === 'drained') return state
      const line = `${id}: ${state.slots} slots left`
      if (line !== said) say((said = line))
    }
    await sleep(drainPollMs)
  }
}

/** Nearest-rank percentiles, in milliseconds; null when nothing moved. */
function summary(pausesMs: readonly number[]) {
  const sorted = [...pausesMs].sort((a, b) => a - b)
  const rank = (share: number) => round(sorted[Math.ceil(share * sorted.length) - 1])
  return { count: sorted.length, p50_ms: rank(0.5), p99_ms: rank(0.99), max_ms: round(sorted.at(-1)) }
}

const round = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms * 10) / 10)
