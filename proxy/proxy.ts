import { Announcer } from '../cluster/announcer.ts'
import type { Env } from '../cluster/env.ts'
import { FollowedConfig } from '../cluster/followed-config.ts'
import { clusterTopics } from '../cluster/topics.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { Config } from '../config/config.ts'
import { LogError } from '../log/errors.ts'
import type { Timer } from '../platform/clock.ts'
import { hindranceWords } from '../platform/outages.ts'
import { uuid } from '../platform/random.ts'
import type { App } from '../protocol/app/contract.ts'
import { disconnects } from '../protocol/client/codes.ts'
import type { CloseReason } from '../protocol/client/codes.ts'
import { partitionOf } from '../protocol/partition.ts'
import { ownRecords } from '../protocol/records/formats.ts'
import type { Address, ProxyState } from '../protocol/records/heartbeat.ts'
import { inboxTopic } from '../protocol/records/topics.ts'
import { assemble } from './assemble.ts'
import type { Parts } from './assemble.ts'
import { ControlReader } from './control-reader.ts'
import { Echo } from './echo.ts'
import type { Behind } from './listener/listener.ts'
import { NamespaceCheck } from './namespace-check.ts'
import type { AddressRefusal } from './sessions/address-limits.ts'
import { Capacity } from './sessions/capacity.ts'
import type { Session } from './sessions/session.ts'
import { closeGraceMs, sessionSweepMs } from './sessions/sessions.ts'
import type { Sessions } from './sessions/sessions.ts'
import type { Connection } from './transports/transport.ts'

/** Who the proxy is, what it may use, and who is told that it has given up. */
export interface ProxyOptions {
  config: Config
  /** What clients may call of the app, by name. */
  calls: App['calls']
  /** Of the software. */
  version: string
  pid: number
  internal: Address
  /** Open files that the process may have. */
  files: number
  /** This proxy has given up (declared dead, or cut off for too long) and has closed its sessions. */
  ended: (why: string) => void
}

/** Of the process that accepts a client's socket; numbers of commands start anew with each. */
const firstGeneration = 1

/** Missed echoes of its own heartbeats after which a proxy takes no new clients. */
export const isolatedAfterBeats = 3

/** One proxy generation without its listeners: sessions, and their way to the slots and back. */
export class Proxy implements Behind {
  readonly id: string
  /** The first to hold these sockets. */
  readonly generation = firstGeneration
  state: ProxyState = 'starting'
  readonly capacity: Capacity
  readonly #env: Env
  readonly #options: ProxyOptions
  readonly #parts: Parts
  readonly #echo: Echo
  readonly #followed: FollowedConfig
  readonly #namespaces: NamespaceCheck
  readonly #control: ControlReader
  readonly #announcer: Announcer
  readonly #timers: Timer[] = []
  /** Where clients connect. */
  #listensAt: Address | null = null
  #isStopped = false

  constructor(env: Env, options: ProxyOptions) {
    const { config, calls, version } = options
    this.#env = env
    this.#options = options
    this.id = `p-${env.random.hex(6)}`
    this.capacity = new Capacity(env, config.client.connection_limit, options.files)
    this.#parts = assemble(env, {
      config,
      calls,
      version,
      instance: this.id,
      producer: `${this.id}.${this.generation}`,
      retired: () => void this.#giveUp('declared dead by the controller'),
    })
    this.#echo = new Echo(env, this.id)
    this.#followed = new FollowedConfig(env, () => this.#announcer.beat())
    this.#namespaces = new NamespaceCheck(env, config)
    this.#control = new ControlReader(env, {
      told: (record) => {
        if (record.type === 'config') this.#followed.heard(record)
        else this.#namespaces.heard(record)
      },
      unreadable: (key, error) => this.#followed.unreadable(key, error),
    })
    this.#announcer = new Announcer(env, this.id, (beat) => ({
      type: 'heartbeat',
      role: 'proxy',
      id: this.id,
      pid: options.pid,
      version: options.version,
      internal: options.internal,
      beat,
      state: this.state,
      clients: this.#listensAt,
      generation: this.generation,
      sessions: this.sessions.size,
      inboxOffset: this.#parts.inbox.offset,
      ...this.#followed.member,
      formats: { records: ownRecords },
      violations: this.#parts.hub.violations.counts,
      closed: this.sessions.closed.counts,
    }))
  }

  get sessions(): Sessions {
    return this.#parts.sessions
  }

  /** Resolves when clients can be served. */
  async start(): Promise<void> {
    const { config } = this.#options
    const { clock, log } = this.#env
    const begin = async () => {
      await log.createTopics(clusterTopics(config))
      return log.range(inboxTopic, partitionOf(this.id, config.topics.inbox_partitions))
    }
    const range = await untilAnswered(this.#env, begin, () => this.#isStopped)
    if (range === null) return
    this.#run(this.#parts.inbox.run(range.next))
    this.#run(this.#echo.run())
    this.#run(this.#control.run())
    this.#announcer.start(config.proxy.heartbeat_interval)
    this.#timers.push(
      clock.every(sessionSweepMs, () => {
        this.sessions.sweep()
        this.#parts.limits.sweep()
        this.capacity.look(this.sessions.size)
        this.#parts.hub.expire()
      }),
      clock.every(config.proxy.heartbeat_interval, () => this.#watchEcho()),
      clock.every(config.proxy.position_check_interval, () => this.#parts.hub.checkPositions()),
    )
    await this.#control.caughtUp()
    if (this.#isStopped) return
    this.state = 'live'
    this.#announcer.beat()
  }

  /** Clients can connect, there. */
  listens(address: Address): void {
    this.#listensAt = address
    this.#announcer.beat()
  }

  /** True, or why no new clients should be sent here: that a proxy is full shows before it is. */
  get ready(): true | string {
    if (this.serving !== true || !this.capacity.isNearlyFull(this.sessions.size)) return this.serving
    return `it has ${this.sessions.size} of the ${this.capacity.clients} clients that it takes`
  }

  /** True, or why it takes no new clients, however few it has. */
  get serving(): true | string {
    const { contradiction } = this.#namespaces
    if (contradiction !== null) return contradiction
    const { hindrance } = this.#announcer
    const isHindered = hindrance !== null && (this.state === 'live' || this.state === 'isolated')
    if (isHindered) return `the log ${hindranceWords[hindrance]}`
    return this.state === 'live' ? true : this.state
  }

  refuses(address: string): AddressRefusal | 'connection_limit' | null {
    return this.capacity.refuses(this.sessions.size) ? 'connection_limit' : this.#parts.limits.refuses(address)
  }

  open(connection: Connection, address: string): Session {
    return this.sessions.open(uuid(this.#env.random), connection, address, this.#parts.intake.begin())
  }

  cutLater(connection: Pick<Connection, 'terminate'>): void {
    this.#env.clock.after(closeGraceMs, () => connection.terminate())
  }

  received(session: Session, data: string): void {
    this.#parts.intake.message(session, data)
  }

  close(session: Session, reason: CloseReason): void {
    this.sessions.close(session, reason)
  }

  gone(session: Session): void {
    this.sessions.gone(session)
  }

  control(session: Session): boolean {
    return this.#parts.intake.control(session)
  }

  /** Not ready, then every client is told to go elsewhere, spread over the jitter. */
  async drain(): Promise<void> {
    const { shutdown } = this.#options.config
    this.state = 'draining'
    this.#announcer.beat()
    await this.sessions.closeAll(disconnects.shutdown, shutdown.jitter, shutdown.timeout)
    await this.#announcer.leave({ type: 'left', role: 'proxy', id: this.id })
    this.#stop()
  }

  /** Ends everything at once, as a crash would. */
  kill(): void {
    this.#announcer.stop()
    this.#stop()
  }

  #stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#parts.intake.stop()
    this.#parts.reads.stop()
    this.#parts.uplink.stop()
    this.#parts.inbox.stop()
    this.#echo.stop()
    this.#control.stop()
    this.#env.faults.stop()
  }

  #run(reading: Promise<void>): void {
    reading.catch((error: unknown) => {
      this.#env.logger.error({ err: error }, 'proxy can no longer follow the log')
      const why = error instanceof LogError && error.code === 'out_of_range' ? 'its inbox was trimmed' : String(error)
      void this.#giveUp(why)
    })
  }

  #watchEcho(): void {
    if (this.state !== 'live' && this.state !== 'isolated') return
    const { heartbeat_interval: interval, isolation_timeout: timeout } = this.#options.config.proxy
    const now = this.#env.clock.monotonic()
    const silentMs = now - this.#echo.lastAt
    const isIsolated = silentMs > interval * isolatedAfterBeats
    if (isIsolated !== (this.state === 'isolated')) {
      this.state = isIsolated ? 'isolated' : 'live'
      const { hindrance } = this.#announcer
      const why = hindrance === null ? 'cut off from the log' : `the log ${hindranceWords[hindrance]}`
      this.#env.logger.warn({ silentMs }, isIsolated ? `${why}, taking no new clients` : 'back on the log')
    }
    // A log that answers, if only that it takes nothing, is as bad for every proxy: clients would gain nothing elsewhere.
    if (now - Math.max(this.#echo.lastAt, this.#announcer.hinderedAt) > timeout)
      void this.#giveUp('cut off from the log')
  }

  async #giveUp(why: string): Promise<void> {
    if (this.state === 'draining') return
    this.state = 'draining'
    this.#env.logger.error({ why, sessions: this.sessions.size }, 'proxy gives up, its clients resume elsewhere')
    const { shutdown } = this.#options.config
    await this.sessions.closeAll(disconnects.forceReconnect, shutdown.jitter, shutdown.timeout)
    this.kill()
    this.#options.ended(why)
  }
}
