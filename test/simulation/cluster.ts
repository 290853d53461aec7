/** A cluster on virtual time, with its clients and its faults. */
import pino from 'pino'
import type { Logger } from 'pino'
import { clusterTopics } from '../../cluster/topics.ts'
import type { Config } from '../../config/config.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import { statusTopic } from '../../protocol/records/topics.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Operation } from '../checker/history.ts'
import type { Owned } from '../harness/owned.ts'
import { whyUnowned } from '../harness/owned.ts'
import { quietLogger } from '../support/loggers.ts'
import { SimulatedClient } from './client.ts'
import type { Counts } from './counts.ts'
import { FaultRules } from './fault-rules.ts'
import { Faults } from './faults.ts'
import { epochMs } from './host.ts'
import { StoreInvariants } from './invariants.ts'
import { LogData } from './log-data.ts'
import { Network } from './network.ts'
import type { Parameters } from './parameters.ts'
import { watchEvents, watchLanes } from './probe.ts'
import { Processes } from './processes.ts'
import { ReleaseInvariants } from './release-invariants.ts'
import { Releases } from './releases.ts'
import { Scheduler } from './scheduler.ts'
import type { Seeded } from './seeded.ts'
import { StoreData } from './store.ts'
import { Weights } from './weights.ts'

/** An outbox row is delivered and deleted within this time where nothing is wrong, ms. */
const outboxAgeMs = 500

/** A whole cluster with its clients: the production proxy, worker and controller on a simulated log and store. */
export class Cluster {
  readonly random: Seeded
  readonly parameters: Parameters
  readonly config: Config
  readonly scheduler: Scheduler
  readonly network: Network
  readonly logData = new LogData()
  readonly storeData: StoreData
  readonly clients: SimulatedClient[] = []
  readonly operations: Operation[] = []
  readonly faults: Faults
  readonly processes: Processes
  readonly weights: Weights
  readonly releases: Releases
  readonly faultRules: FaultRules
  readonly metrics = createMetrics()
  /** What happened. */
  readonly counts: Counts = {}
  /** What is wrong; the run ends with the first. */
  readonly problems: string[] = []
  /** Inboxes were told that they missed something, so clients may be too. */
  #resyncs = 0
  /** How far the store's own clock has been set, ms. */
  storeAheadMs = 0
  /** Times that the store went back. */
  rollbacks = 0
  readonly #invariants: StoreInvariants
  readonly #releaseInvariants: ReleaseInvariants | null

  constructor(random: Seeded, parameters: Parameters, trace: ((line: string) => void) | null) {
    this.random = random
    this.parameters = parameters
    this.config = parameters.config
    this.scheduler = new Scheduler(random.fork('scheduler'), (error) => this.failed(error))
    this.scheduler.trace = trace
    this.network = new Network(this.scheduler, random.fork('network'), parameters.rates, parameters.delays)
    this.#invariants = new StoreInvariants(
      () => this.storeData.sql,
      (problem) => this.broken(problem),
    )
    const storeNow = () => epochMs + Math.floor(this.scheduler.now + this.scheduler.aheadMs) + this.storeAheadMs
    this.#releaseInvariants = this.#releaseRules()
    this.storeData = new StoreData(storeNow, [
      this.#invariants,
      ...(this.#releaseInvariants ? [this.#releaseInvariants] : []),
    ])
    this.logData.createTopics(clusterTopics(this.config))
    this.faults = new Faults(this)
    this.weights = new Weights(this)
    this.releases = new Releases(this)
    this.faultRules = new FaultRules(this)
    this.processes = new Processes({
      scheduler: this.scheduler,
      random,
      network: this.network,
      logData: this.logData,
      storeData: this.storeData,
      config: this.config,
      loss: parameters.loss,
      hasWires: parameters.hasWires,
      hasWeights: parameters.hasWeights,
      hasSupervisor: parameters.releases !== null,
      metrics: this.metrics,
      counts: this.counts,
      logger: trace === null ? quietLogger : tracingLogger(trace),
      broken: (problem) => this.broken(problem),
      failed: (error) => this.failed(error),
      emitted: (entries) => {
        // A log or a store that starts anew has other places.
        if (parameters.loss === 'store' || parameters.loss === 'commands') return
        for (const { value } of entries) this.#invariants.emitted(value)
      },
      announced: (host, entries) => this.#releaseInvariants?.announced(host, entries),
      resynced: (times) => (this.#resyncs += times),
    })
    this.#watchHalts(0)
    for (let left = parameters.controllers; left > 0; left--) this.processes.startLater('controller')
    if (parameters.releases !== null) this.releases.startWorkers()
    else for (let left = parameters.workers; left > 0; left--) this.processes.startLater('worker')
    for (let left = parameters.proxies; left > 0; left--) this.processes.startLater('proxy')
    for (let index = 0; index < parameters.clients; index++) this.clients.push(this.#client(`client-${index}`))
  }

  goBackTo(snapshot: Uint8Array): void {
    this.rollbacks++
    this.storeData.goBackTo(snapshot)
    this.#invariants.startAnew()
    this.#releaseInvariants?.startAnew()
  }

  reset(slot: SlotId, to: number): void {
    this.storeData.ask('resetSlot', slot, to)
    this.#invariants.startAnew()
  }

  #releaseRules(): ReleaseInvariants | null {
    const { releases } = this.parameters
    if (releases === null) return null
    return new ReleaseInvariants({
      releases,
      sql: () => this.storeData.sql,
      controllerOf: (host) => this.processes.controllerOf(host),
      counts: this.counts,
      broken: (problem) => this.broken(problem),
    })
  }

  note(text: string): void {
    this.operations.push({ kind: 'note', at: this.scheduler.now, text })
  }

  broken(problem: string): void {
    this.problems.push(`${problem} (at ${this.scheduler.now.toFixed(1)} ms, step ${this.scheduler.steps})`)
  }

  /** An error that nobody caught. */
  failed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.broken(`${this.scheduler.current?.name ?? 'the world'}: ${text}`)
  }

  close(): void {
    watchEvents(null)
    watchLanes(null)
    this.storeData.close()
  }

  #client(name: string): SimulatedClient {
    const { config, parameters, scheduler, random, operations } = this
    return new SimulatedClient(
      {
        scheduler,
        random,
        rooms: parameters.rooms,
        thinkMs: parameters.thinkMs,
        silenceMs: config.client.ping_interval + config.client.pong_timeout,
        connect: (events) => this.processes.connect(events),
        record: (operation) => operations.push(operation),
        broken: (problem) => this.broken(problem),
        unclear: (ms, what) => this.#unclear(ms, what),
        isStoreSteady: parameters.loss !== 'store',
        missed: (what) => this.#missed(what),
      },
      name,
    )
  }

  /** What nothing lost is answered, or ends at its deadline. */
  #unclear(ms: number, what: string): void {
    if (ms < this.config.client.reply_deadline && !this.#isLossy && this.parameters.loss !== 'commands')
      this.broken(`the answer to ${what} was lost after ${ms} ms`)
  }

  /** Whether events may have been lost: with the inbox, or with a backlog. */
  get #isLossy(): boolean {
    return this.#resyncs > 0 || this.parameters.loss === 'inbox'
  }

  /**
   * Only events that were lost make a position insufficient, and messages: a slot that reads for a recovery before a
   * commit of its own tells it that the store went back finds less than there was.
   */
  #missed(what: string): void {
    if (!this.#isLossy && this.rollbacks === 0) this.broken(`${what} although nothing was lost`)
  }

  /** What a person would see in the log of the workers. */
  #watchHalts(from: number): void {
    this.scheduler.after(50, null, 'looks for halted slots', () => {
      const { oldest, next } = this.logData.range(statusTopic, 0)
      const at = Math.max(oldest, Math.min(from, next))
      for (const { value } of this.logData.read(statusTopic, 0, at)) {
        const record = decodeStatus(value)
        if (record.type === 'halted') this.faults.halted(record.slot)
      }
      this.#watchHalts(next)
    })
  }

  readonly #outboxSince = new Map<string, number>()

  /** A row that was there a while ago too. */
  #oldOutboxRow(): string | null {
    const rows = this.storeData.sql.all('SELECT slot, batch_end, part FROM outbox')
    const names = new Set(
      rows.map(({ slot, batch_end: end, part }) => `${String(slot)} ${String(end)}.${String(part)}`),
    )
    for (const name of this.#outboxSince.keys()) if (!names.has(name)) this.#outboxSince.delete(name)
    for (const name of names) {
      const since = this.#outboxSince.getOrInsert(name, this.scheduler.now)
      if (this.scheduler.now - since > outboxAgeMs) return name
    }
    return null
  }

  /** A slot without a live owner, or null. */
  get unowned(): string | null {
    const leases = this.storeData.sql.all('SELECT slot, owner FROM lease') as unknown as Owned[]
    return whyUnowned(leases, this.processes.idsOf('worker'))
  }

  /** Why the cluster is not at rest, or null. */
  get unrest(): string | null {
    const { parameters, clients } = this
    const { unowned } = this
    if (unowned !== null) return unowned
    if (this.faults.unrest !== null) return this.faults.unrest
    if (this.weights.unrest !== null) return this.weights.unrest
    if (this.faultRules.unrest !== null) return this.faultRules.unrest
    const old = this.#oldOutboxRow()
    // Rows that come back with an older store stay until the next owner: they were delivered, nobody waits for them.
    if (old !== null && parameters.loss !== 'store') return `the outbox keeps ${old}`
    const { sql } = this.storeData
    const proxies = this.processes.idsOf('proxy')
    for (const { id, state } of sql.all('SELECT id, state FROM instance')) {
      if (state === 'retired') return `${String(id)} is being retired`
      if (state === 'gone' && proxies.has(id as string)) return `${String(id)} is gone and lives`
    }
    // What clears up after dead proxies comes once, and can be lost with the log.
    if (parameters.checksRemains && parameters.loss !== 'commands') {
      const left = sql
        .all('SELECT DISTINCT instance FROM interest')
        .find(({ instance }) => !proxies.has(instance as string))
      if (left !== undefined) return `${String(left['instance'])} is dead and its interest stays`
    }
    return clients.map(({ waitsFor }) => waitsFor).find((reason) => reason !== null) ?? null
  }
}

/** Log lines become lines of the trace; of errors only what is the same on every machine. */
function tracingLogger(trace: (line: string) => void): Logger {
  const err = (error: { code?: string; message: string }) => `${error.code ?? ''} ${error.message}`
  return pino(
    { level: 'debug', base: null, timestamp: false, serializers: { err } },
    { write: (line: string) => trace(`  ${line.trimEnd()}`) },
  )
}
