import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import { ControllerClient } from '../client/client.ts'
import type { DrainState, VersionDrainState } from '../client/client.ts'
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
export async function drainWorker(config: Config, options: DrainOptions): Promise<void> {
  await drain(config, options, {
    ask: (client, { id, force }) => client.drain(id, force),
    look: (client, { id }) => client.drainState(id),
    left: ({ slots }) => `${slots} slots left`,
  })
}

/** Takes every slot from all workers of a version, and returns once none of them has anything left. */
export async function drainVersion(config: Config, options: DrainOptions): Promise<void> {
  await drain<VersionDrainState>(config, options, {
    ask: (client, { id, force }) => client.drainVersion(id, force),
    look: (client, { id }) => client.versionDrainState(id),
    left: ({ slots, workers, in_flight, outbox }) =>
      `${slots} slots of ${workers} workers left, ${in_flight} records in flight, ${outbox} rows in the outbox`,
  })
}

/** What is drained, as the controller is asked. */
interface Drained<S extends DrainState> {
  ask: (client: ControllerClient, options: DrainOptions) => Promise<void>
  look: (client: ControllerClient, options: DrainOptions) => Promise<S>
  left: (state: S) => string
}

async function drain<S extends DrainState>(config: Config, options: DrainOptions, what: Drained<S>): Promise<void> {
  const { id, json } = options
  const client = new ControllerClient(config)
  const say = (line: string) => json || process.stdout.write(`${line}\n`)
  try {
    await what.ask(client, options)
    say(`draining ${id}`)
    const { pauses_ms } = await untilDrained(client, options, what, say)
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

async function untilDrained<S extends DrainState>(
  client: ControllerClient,
  options: DrainOptions,
  { look, left }: Drained<S>,
  say: (line: string) => void,
): Promise<S> {
  let heardAt = performance.now()
  let said = ''
  for (;;) {
    const state = await look(client, options).catch((error: unknown) => {
      const passing = error instanceof ControllerError && error.code === 'unreachable'
      if (!passing || performance.now() - heardAt > controllerAbsenceMaxMs) throw error
    })
    if (state) {
      heardAt = performance.now()
      if (state.state === 'drained') return state
      const line = `${options.id}: ${left(state)}`
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
