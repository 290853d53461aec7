import type { Logger } from 'pino'
import type { SeenVersion } from '../../cli/dev/worker-plan.ts'
import type { StoreEnv } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
/** The life of simulated processes: production modules on a simulated clock, log and store. */
import { ApiError } from '../../controller/api/errors.ts'
import type { Controller } from '../../controller/controller.ts'
import { FaultError } from '../../controller/faults/errors.ts'
import { ResourceError } from '../../controller/resources/errors.ts'
import { RolloutError } from '../../controller/rollouts/errors.ts'
import { keptMs } from '../../controller/upkeep/retention.ts'
import type { LogEntry, LogRecord } from '../../log/log.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { OpenWire } from '../../platform/alive.ts'
import type { CodedError } from '../../platform/errors.ts'
import { heartbeatTopic, inboxTopic } from '../../protocol/records/topics.ts'
import type { Proxy } from '../../proxy/proxy.ts'
import { StoreError } from '../../store/errors.ts'
import type { Store } from '../../store/store.ts'
import type { Worker } from '../../worker/worker.ts'
import { testFaults } from '../harness/env.ts'
import { buildController, buildProxy, buildWorker, startWorker } from '../harness/roles.ts'
import { Connection } from './connection.ts'
import type { ConnectionEvents } from './connection.ts'
import { count } from './counts.ts'
import type { Counts } from './counts.ts'
import { Host } from './host.ts'
import type { Role } from './host.ts'
import { EventInvariants } from './invariants.ts'
import type { LogData } from './log-data.ts'
import { simulatedLog } from './log.ts'
import type { Network } from './network.ts'
import type { Loss } from './parameters.ts'
import { watchEvents, watchLanes } from './probe.ts'
import type { Scheduler } from './scheduler.ts'
import type { Seeded } from './seeded.ts'
import { simulatedStore } from './store.ts'
import type { StoreData } from './store.ts'
import { sharedVersions } from './weights.ts'

/** A process that ended is started again after this time, at most, ms. */
const restartMs = 600
/** A deployment stops all workers within this time, ms. */
const deployMs = 1_500

/** A command of the simulated clients in the log, at most. */
const commandBytesMax = 1_000
/** What a lane may hold beyond its bound. */
const laneSlackBytes = 100_000

/** What a person is told whose command comes to nothing. */
const refusals = [StoreError, ResourceError, RolloutError, FaultError, ApiError]

/** A simulated process with what runs in it. */
interface Running {
  host: Host
  env: StoreEnv
  version: string
  /** As SIGTERM. */
  stop: () => Promise<void>
  proxy?: Proxy
  worker?: Worker
  controller?: Controller
}

export interface ProcessesWorld {
  scheduler: Scheduler
  random: Seeded
  network: Network
  logData: LogData
  storeData: StoreData
  config: Config
  loss: Loss
  hasWires: boolean
  hasWeights: boolean
  /** Somebody else starts workers, and says of which version. */
  hasSupervisor: boolean
  logger: Logger
  /** Of all processes together: making them anew for each would take more time than the rest. */
  metrics: Metrics
  counts: Counts
  broken(problem: string): void
  /** An error that nobody caught. */
  failed(error: unknown): void
  /** Records have come into the inbox topic. */
  emitted(entries: LogEntry[]): void
  /** A process has said how it is. */
  announced(host: Host, entries: LogEntry[]): void
  /** A proxy is told that its inbox missed something. */
  resynced(times: number): void
}

/** The processes of a cluster: they are started, stopped and started again, and clients connect to them. */
export class Processes {
  readonly #world: ProcessesWorld
  readonly #running = new Map<Host, Running>()
  readonly #events = new Map<Host, EventInvariants>()
  readonly #connections = new Map<Host, Set<Connection>>()
  #version = 'v1'
  #hosts = 0

  constructor(world: ProcessesWorld) {
    this.#world = world
    watchEvents((event) => this.#events.get(world.scheduler.current as Host)?.handled(event))
    watchLanes((bytes) => this.#checkLane(world.scheduler.current as Host, bytes))
  }

  pick(random: Seeded): Host | null {
    return this.#running.size === 0 ? null : random.pick([...this.#running.keys()])
  }

  /** Live processes of a role, by their id in the cluster. */
  idsOf(role: Role): Set<string> {
    const all = [...this.#running.values()].filter(({ host }) => host.role === role)
    return new Set(all.map((each) => (each.proxy ?? each.worker ?? each.controller)!.id))
  }

  killAll(role: Role): void {
    for (const host of [...this.#running.keys()]) if (host.role === role) host.kill()
  }

  stop(host: Host): void {
    const running = this.#running.get(host)
    if (!running) return
    this.#world.scheduler.after(0, host, 'SIGTERM', () => {
      running.stop().then(
        () => host.kill(),
        (error: unknown) => this.#world.failed(error),
      )
    })
    this.#world.scheduler.after(this.#world.config.shutdown.timeout, host, 'not stopped in time', () => host.kill())
  }

  /** What waits for the log is bounded by the configuration, and by one batch or one sweep of a proxy on top. */
  #checkLane({ name, role }: Host, bytes: number): void {
    const { worker, proxy } = this.#world.config
    const bounds = { worker: worker.lane_backlog_max, proxy: proxy.in_flight_max * commandBytesMax, controller: 0 }
    if (bytes > bounds[role] + laneSlackBytes) this.#world.broken(`${bytes} bytes wait in a lane of ${name}`)
  }

  /** As `holdfast drain worker`. */
  drain(random: Seeded): void {
    const all = [...this.#running.values()]
    const leader = all.find(({ controller }) => controller?.isLeader)
    const workers = all.flatMap(({ worker }) => worker ?? [])
    if (!leader || workers.length === 0) return
    const { id } = random.pick(workers)
    this.#world.scheduler.after(0, leader.host, `drain ${id}`, () => leader.controller!.drain(id))
  }

  /** Controllers that lead, as far as they know. */
  get leaders(): Controller[] {
    return [...this.#running.values()].flatMap(({ controller }) => (controller?.isLeader ? controller : []))
  }

  /** Versions of live workers, by id. */
  get versions(): Map<string, string> {
    return new Map(
      [...this.#running.values()].flatMap(({ worker, version }) => (worker ? [[worker.id, version] as const] : [])),
    )
  }

  /** As `holdfast apply`; whether it comes about shows in the store. */
  apply(resources: readonly unknown[]): void {
    this.asLeader('applies resources', (leader) => leader.resources.apply(resources, 'ada'))
  }

  /** What a person does through whoever leads, if anybody does; it may be refused, or come to nothing. */
  asLeader(what: string, work: (leader: Controller, store: Store) => Promise<unknown>): void {
    const leader = [...this.#running.values()].find(({ controller }) => controller?.isLeader)
    if (!leader) return
    this.#world.scheduler.after(0, leader.host, what, () => {
      work(leader.controller!, leader.env.store).catch((error: unknown) => {
        const isRefusal = refusals.some((refusal) => error instanceof refusal)
        if (isRefusal) count(this.#world.counts, `refused: ${(error as CodedError<string>).code}`)
        else this.#world.failed(error)
      })
    })
  }

  controllerOf(host: Host): Controller | undefined {
    return this.#running.get(host)?.controller
  }

  /** Versions as a leader says, null without one. */
  get versionsWanted(): SeenVersion[] | null {
    const [leader] = this.leaders
    if (leader === undefined) return null
    const { rollouts, serving } = leader
    const wanted = rollouts.versionsWanted
    if (serving !== null) wanted.add(serving)
    return [...wanted].map((version) => ({ version, wanted: true }))
  }

  /** A process that follows a fault, or null. */
  get faulty(): string | null {
    return this.#running.values().find(({ env }) => env.faults.isSet)?.host.name ?? null
  }

  /** Starts one more worker in a while, unless `mayStart` says no by then. */
  startWorkerLater(version: string, mayStart: () => boolean): void {
    const { scheduler, random } = this.#world
    scheduler.after(random.between(0, restartMs), null, `starts a worker of ${version}`, () => {
      if (mayStart()) this.#start('worker', version)
    })
  }

  stopVersion(version: string): void {
    for (const each of this.#running.values()) if (each.worker && each.version === version) this.stop(each.host)
  }

  killVersion(version: string): void {
    for (const each of [...this.#running.values()]) if (each.worker && each.version === version) each.host.kill()
  }

  /** Where versions share the slots, the one that has fewer workers. */
  get #workerVersion(): string {
    if (!this.#world.hasWeights) return this.#version
    const versions = [...this.versions.values()]
    const countOf = (version: string) => versions.filter((each) => each === version).length
    return sharedVersions.reduce((a, b) => (countOf(b) < countOf(a) ? b : a))
  }

  /** Another version from now on, where nobody rolls it out: each worker is stopped in its turn, unless `isOver` by then. */
  deploy(random: Seeded, isOver: () => boolean): void {
    if (!this.#world.hasSupervisor) this.#version = this.#version === 'v1' ? 'v2' : 'v1'
    for (const { host, worker } of this.#running.values()) {
      if (!worker) continue
      const ms = random.between(0, deployMs)
      this.#world.scheduler.after(ms, null, `deploy over ${host.name}`, () => isOver() || this.stop(host))
    }
  }

  /** A new connection to a proxy, which may be frozen; null when there is none. */
  connect(events: ConnectionEvents): Connection | null {
    const proxies = [...this.#running.values()].filter(({ proxy }) => proxy)
    if (proxies.length === 0) return null
    const { host, proxy } = this.#world.random.pick(proxies)
    const connection = new Connection(this.#world.scheduler, this.#world.random, host, proxy!, events)
    this.#connections.get(host)!.add(connection)
    return connection
  }

  startLater(role: Role): void {
    this.#world.scheduler.after(this.#world.random.between(0, restartMs), null, `starts a ${role}`, () =>
      this.#start(role),
    )
  }

  #start(role: Role, version = role === 'worker' ? this.#workerVersion : this.#version): void {
    const host = new Host(this.#world.scheduler, this.#world.random, role, `${role}-${++this.#hosts}`)
    const running = this.#build(host, version)
    this.#running.set(host, running)
    this.#connections.set(host, new Set())
    host.onDeath = () => this.#died(host)
    const { proxy, worker, controller } = running
    this.#world.scheduler.after(0, host, 'starts', () => {
      const started = worker ? startWorker(worker) : (proxy ?? controller)!.start()
      started.catch((error: unknown) => this.#ended(host, error))
    })
  }

  /** A worker's internal address is the name of its host. */
  #openWire(from: Host): OpenWire {
    return ({ host: name }, gone) => {
      const host = [...this.#running.keys()].find((each) => each.name === name)
      const told = () => this.#world.scheduler.after(this.#world.network.wayMs(), from, `${name} is gone`, gone)
      host?.deaths.add(told)
      return { close: () => void host?.deaths.delete(told) }
    }
  }

  #build(host: Host, version: string): Running {
    const { config, metrics } = this.#world
    const env: StoreEnv = {
      clock: host.clock,
      random: host.random,
      log: simulatedLog(
        {
          scheduler: this.#world.scheduler,
          network: this.#world.network,
          data: this.#world.logData,
          onAppend: (topic, entries) => {
            if (topic === inboxTopic) this.#world.emitted(entries)
            if (topic === heartbeatTopic) this.#world.announced(host, entries)
          },
          onRead: (...read) => this.#read(host, ...read),
        },
        host,
      ),
      store: simulatedStore(this.#world.storeData, this.#world.network, host),
      logger: this.#world.logger.child({ host: host.name }),
      metrics,
      faults: testFaults({ clock: host.clock, metrics, names: config.channel, kill: () => host.kill() }),
    }
    switch (host.role) {
      case 'controller': {
        const controller = buildController(env, config, {
          version,
          ended: (error) => this.#ended(host, error),
          ...(this.#world.hasWires && { openWire: this.#openWire(host) }),
        })
        return { host, env, version, controller, stop: () => controller.stop() }
      }
      case 'worker': {
        const ended = (why: string) => (why === 'drained' ? this.stop(host) : this.#ended(host, new Error('broken')))
        const worker = buildWorker(env, config, { version, ended, internal: { host: host.name, port: 1 } })
        return { host, env, version, worker, stop: () => worker.drain(config.shutdown.timeout / 3) }
      }
      case 'proxy': {
        const proxy = buildProxy(env, config, { version, ended: (why) => this.#gaveUp(host, why) })
        this.#events.set(
          host,
          new EventInvariants(
            host,
            () => proxy.id,
            (problem) => this.#world.broken(problem),
          ),
        )
        return { host, env, version, proxy, stop: () => proxy.drain() }
      }
    }
  }

  #gaveUp(host: Host, why: string): void {
    const mayBeTrimmed = ['inbox', 'topics'].includes(this.#world.loss) || this.#isUnknown(host)
    const isTrimmed = why === 'its inbox was trimmed' && mayBeTrimmed
    if (!isTrimmed && why !== 'declared dead by the controller' && why !== 'cut off from the log')
      this.#world.broken(`${host.name} gave up: ${why}`)
    this.stop(host)
  }

  /**
   * Nobody keeps an inbox for a proxy that was declared dead, whether or not it has read so; nor for one that has not been
   * heard of: because it froze as it began, or for so long that a new controller would have known by then.
   */
  #isUnknown(host: Host): boolean {
    if (host.frozenMs >= keptMs(this.#world.config).inboxes) return true
    const id = this.#running.get(host)?.proxy?.id ?? ''
    const row = this.#world.storeData.sql.get('SELECT state FROM instance WHERE id = ?', id)
    return row?.['state'] !== 'live'
  }

  /** A process ended because it could not go on, which only lost topics justify. */
  #ended(host: Host, error: unknown): void {
    if (this.#world.loss !== 'topics') this.#world.failed(error)
    host.kill()
  }

  #died(host: Host): void {
    this.#running.delete(host)
    for (const connection of this.#connections.get(host)!) connection.cut()
    this.#connections.delete(host)
    if (host.role !== 'worker' || !this.#world.hasSupervisor) this.startLater(host.role)
  }

  #read(host: Host, topic: string, records: LogRecord[]): void {
    if (topic !== inboxTopic) return
    this.#world.resynced(this.#events.get(host)?.read(records) ?? 0)
  }
}
