import { disconnects, unsubscribes } from '../../protocol/client/codes.ts'
/** One run, from its seed to its verdict. */
import { check, report } from '../checker/checker.ts'
import type { Operation } from '../checker/history.ts'
import { Cluster } from './cluster.ts'
import { count } from './counts.ts'
import type { Counts } from './counts.ts'
import { drawParameters } from './parameters.ts'
import { Seeded } from './seeded.ts'

/** Virtual time within which everything is well again once faults stop, ms. */
export const settleBoundMs = 20_000
/** Virtual time within which every slot has a live owner once faults stop, ms. */
export const ownedBoundMs = 15_000
/** Virtual time within which a few messages are answered and everywhere when all is well, ms. */
const deliveryBoundMs = 2_000
/** How often it is looked whether it is, ms. */
const lookMs = 25
/** It must be at rest for this long: what was decided before must show. */
const restMs = 700

export interface RunResult {
  seed: number
  /** Empty when every rule held. */
  problems: string[]
  operations: Operation[]
  steps: number
  virtualMs: number
  /** Virtual ms from the last fault until every slot had a live owner. */
  ownedAfterMs: number
  /** What happened in it. */
  counts: Counts
}

export interface RunOptions {
  /** Gets a line for every step, and for every line that the cluster logs. */
  trace?: (line: string) => void
}

/** Simulates what one seed decides: faults for a while, then peace, then the judgement. */
export async function runSeed(seed: number, { trace }: RunOptions = {}): Promise<RunResult> {
  const random = new Seeded(`seed ${seed}`)
  const parameters = drawParameters(random.fork('parameters'))
  trace?.(`seed ${seed} ${JSON.stringify(parameters)}`)
  const cluster = new Cluster(random, parameters, trace ?? null)
  const run = new Run(cluster)
  const uncaught = (error: unknown) => cluster.failed(error)
  process.on('unhandledRejection', uncaught)
  try {
    await run.toItsEnd()
  } finally {
    process.off('unhandledRejection', uncaught)
    cluster.close()
  }
  const { problems, operations, scheduler } = cluster
  const { ownedAfterMs } = run
  const counts = await countsOf(cluster)
  return { seed, problems, operations, steps: scheduler.steps, virtualMs: scheduler.now, ownedAfterMs, counts }
}

async function countsOf({ counts, parameters, metrics }: Cluster): Promise<Counts> {
  count(counts, 'seeds')
  if (parameters.releases !== null) count(counts, 'seeds with rollouts')
  if (parameters.hasFaultRules) count(counts, 'seeds with fault rules')
  if (parameters.hasWeights) count(counts, 'seeds with weights')
  const [ejections, struck] = await Promise.all([metrics.ejections.get(), metrics.faultsInjected.get()])
  for (const { value } of ejections.values) count(counts, 'workers ejected', value)
  for (const { value, labels } of struck.values) {
    const { kind, stage } = labels as { kind?: string; stage?: string }
    count(counts, `faults: ${kind} at ${stage}`, value)
  }
  return counts
}

class Run {
  readonly #cluster: Cluster
  ownedAfterMs = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async toItsEnd(): Promise<void> {
    const { scheduler, parameters, faults, clients, config } = this.#cluster
    this.#record({ kind: 'window-opened', at: 0, name: 'faults', codes: closeCodes })
    faults.start()
    await this.#until(parameters.activeMs, () => null)
    if (this.#isOver) return
    faults.heal()
    for (const client of clients) client.calm()
    const healedAt = scheduler.now
    const unowned = await this.#until(ownedBoundMs, () => this.#cluster.unowned, true)
    if (unowned !== null) this.#cluster.broken(`${unowned} ${ownedBoundMs} ms after the last fault`)
    this.ownedAfterMs = scheduler.now - healedAt
    // What is still on its way arrives, and shows what it does.
    await this.#until(parameters.delays.slowMs, () => null)
    await this.#rest(settleBoundMs, restMs)
    if (this.#isOver) return
    if (parameters.loss === 'store') {
      // An owner with nothing to do finds out with the first command that its store is another one.
      this.#sendEverywhere()
      await this.#rest(settleBoundMs, 0)
      if (this.#isOver) return
    }
    this.#record({ kind: 'window-closed', at: scheduler.now, name: 'faults' })
    this.#record({ kind: 'healed', at: scheduler.now })
    for (const client of clients) {
      this.#sendEverywhere(client)
      // New data may bring a rollout on: that is in nobody's way.
      await this.#rest(deliveryBoundMs, 0, () => this.#cluster.unrest)
    }
    await this.#rest(settleBoundMs, restMs)
    if (this.#isOver) return
    this.#readStore()
    const { history_size: size, history_ttl: historyTtlMs } = config.channel.without_namespace
    // The slot may be ahead of what the client saw: half of what is kept is enough, unless it is not there for a while.
    const historySize = parameters.loss === 'store' ? 0 : size / 2
    const promises = { answerMs: config.client.reply_deadline, historySize, historyTtlMs }
    const findings = check(this.#cluster.operations, promises)
    if (findings.length > 0) this.#cluster.problems.push(report(findings))
  }

  /** One message into each room. */
  #sendEverywhere(client = this.#cluster.clients[0]!): void {
    for (const room of this.#cluster.parameters.rooms) client.sendTo(room)
  }

  get #isOver(): boolean {
    return this.#cluster.problems.length > 0
  }

  #record(operation: Operation): void {
    this.#cluster.operations.push(operation)
  }

  /** Until the cluster has been at rest for `restMs`. */
  async #rest(
    boundMs: number,
    restMs: number,
    unrestOf = () => this.#cluster.unrest ?? this.#cluster.releases.unrest,
  ): Promise<void> {
    let since: number | null = null
    const { scheduler } = this.#cluster
    const unrest = await this.#until(
      boundMs,
      () => {
        const reason = unrestOf() ?? this.#notDelivered()
        since = reason === null ? (since ?? scheduler.now) : null
        return reason ?? (scheduler.now - since! < restMs ? 'not at rest for long' : null)
      },
      true,
    )
    if (unrest !== null && !this.#isOver) this.#cluster.broken(`not well within ${boundMs} ms: ${unrest}`)
  }

  /** Runs for `ms`, or until `unrest` gives null; returns what it gave last. */
  async #until(ms: number, unrest: () => string | null, endsEarly = false): Promise<string | null> {
    const { scheduler, problems } = this.#cluster
    const end = scheduler.now + ms
    let lookAt = scheduler.now
    let reason: string | null = null
    await scheduler.run(() => {
      if (problems.length > 0 || scheduler.now >= end) return true
      if (scheduler.now < lookAt || !endsEarly) return false
      lookAt = scheduler.now + lookMs
      reason = unrest()
      return reason === null
    })
    return reason
  }

  /** A client that is in a room and has not got all of it, or null. */
  #notDelivered(): string | null {
    const { sql } = this.#cluster.storeData
    const tops = new Map(
      sql.all('SELECT name, top FROM channel').map(({ name, top }) => [name as string, top as number]),
    )
    for (const client of this.#cluster.clients) {
      for (const { room, offset } of client.positions()) {
        if (offset !== tops.get(room)) return `${client.name} is at ${offset} of ${room}, which has ${tops.get(room)}`
      }
    }
    return null
  }

  #readStore(): void {
    const { scheduler, storeData, parameters } = this.#cluster
    const at = scheduler.now
    for (const name of parameters.rooms) {
      const row = storeData.sql.get('SELECT id, epoch, top FROM channel WHERE name = ?', name)
      if (row === undefined) continue
      const epoch = row['epoch'] as string
      const messages = storeData.sql.all(
        'SELECT offset, data FROM message WHERE channel_id = ? ORDER BY offset',
        row['id']!,
      )
      for (const { offset, data } of messages) {
        const body = Buffer.from(data as Uint8Array).toString()
        const { m: message } = JSON.parse(body) as { m: string }
        this.#record({ kind: 'stored', at, channel: name, epoch, offset: offset as number, message, body })
      }
      this.#record({ kind: 'store-read', at, channel: name, epoch, top: row['top'] as number })
    }
  }
}

/** While faults last, clients go by themselves, are cut off, and are told to come back. */
const closeCodes = [
  0,
  1006,
  unsubscribes.insufficient.code,
  unsubscribes.invalidated.code,
  ...Object.values(disconnects).map(({ code }) => code),
].filter((code) => code < disconnects.invalidToken.code)
