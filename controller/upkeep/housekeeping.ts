import type { StoreEnv } from '../../cluster/env.ts'
import { clusterTopics } from '../../cluster/topics.ts'
import type { Config } from '../../config/config.ts'
import type { Timer } from '../../platform/clock.ts'
import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'
import type { Lease } from '../../store/store.ts'
import { heardKept, trimHeard } from '../members/heard.ts'
import { Retention, handledCommands, keptMs, readInboxes } from './retention.ts'
import { TopicsWatch, topicsLookMs } from './topics-watch.ts'

/** What the leader sees at the moment. */
export interface ClusterNow {
  isLeader: boolean
  leases: Lease[]
  proxies: ProxyBeat[]
}

/** What the leading controller does for the log now and then: keeps it bounded, and looks whether it is as it should be. */
export class Housekeeping {
  readonly topics: TopicsWatch
  readonly #env: StoreEnv
  readonly #commands: Retention
  readonly #inboxes: Retention
  readonly #inboxPartitions: number
  readonly #now: () => ClusterNow
  readonly #failed: (error: unknown) => void
  #timers: Timer[] = []
  #isStopped = false

  constructor(env: StoreEnv, config: Config, now: () => ClusterNow, failed: (error: unknown) => void) {
    this.#env = env
    this.#now = now
    this.#failed = failed
    const kept = keptMs(config)
    this.#commands = new Retention(env, kept.commands)
    this.#inboxes = new Retention(env, kept.inboxes)
    this.#inboxPartitions = config.topics.inbox_partitions
    this.topics = new TopicsWatch(env, clusterTopics(config))
  }

  /** Each task runs by the clock, never twice at once. */
  start(): void {
    const stopped = () => this.#isStopped
    this.#every(heardKept.everyMs, () => trimHeard(this.#env, stopped))
    this.#every(topicsLookMs, () => this.topics.look(stopped))
    this.#every(this.#commands.everyMs, async ({ leases }) => {
      // None before the first look at the store.
      if (leases.length > 0) await this.#commands.look(handledCommands(leases), stopped)
    })
    this.#every(this.#inboxes.everyMs, async ({ proxies }) => {
      const places = await readInboxes(this.#env, this.#inboxPartitions, proxies, stopped)
      await this.#inboxes.look(places, stopped)
    })
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
  }

  #every(ms: number, work: (now: ClusterNow) => Promise<void>): void {
    let isWorking = false
    const look = async () => {
      const now = this.#now()
      if (isWorking || !now.isLeader) return
      isWorking = true
      await work(now)
      isWorking = false
    }
    this.#timers.push(this.#env.clock.every(ms, () => void look().catch(this.#failed)))
  }
}
