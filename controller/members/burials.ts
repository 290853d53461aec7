import type { StoreEnv } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import type { Heartbeat } from '../../protocol/records/heartbeat.ts'
import type { Events } from '../events/events.ts'
import type { Instances } from './instances.ts'
import type { Members } from './members.ts'

/** How often instances are looked at for dead ones. */
const instancesLookMs = 2_000

/** What becomes of processes that nothing is heard of any more. */
export class Burials {
  readonly #env: StoreEnv
  readonly #config: Config
  readonly #members: Members
  readonly #instances: Instances
  readonly #events: Events
  readonly #registered = new Set<string>()
  #lookedAt = 0

  constructor(env: StoreEnv, config: Config, members: Members, instances: Instances, events: Events) {
    this.#env = env
    this.#config = config
    this.#members = members
    this.#instances = instances
    this.#events = events
  }

  /** Proxies that came while no controller looked, and may be gone again, are known to the slots. */
  async adoptInstances(): Promise<void> {
    const instances = await this.#env.store.instances()
    await this.#env.store.registerInstances(instances.map(({ id }) => id))
  }

  /** Forgets workers and others that are dead. True when a worker is among them: its slots go to others. */
  forgetDead(now: number): boolean {
    const { death_time: deathMs, proxy_death_time: longMs } = this.#config.controller
    const dead = this.#members.workers().filter(({ beat }) => this.#members.isDead(beat.id, deathMs, now))
    for (const { beat } of dead) {
      this.#env.logger.warn({ worker: beat.id, version: beat.version }, 'worker is dead, its slots go to others')
      this.#forget(beat)
    }
    // Nobody waits for a worker that is not up yet, and an app that loads may leave it no time for a word.
    const patient = [this.#members.controllers(), this.#members.engines(), this.#members.starting()]
    for (const { beat } of patient.flat()) {
      if (this.#members.isDead(beat.id, longMs, now)) this.#forget(beat)
    }
    return dead.length > 0
  }

  /** The process of a worker has ended. True when it was known: what it had goes to others. */
  bury(id: string, now: number): boolean {
    const beat = this.#members.beatOf(id)
    if (beat?.role !== 'worker') return false
    const { version, slots, state } = beat
    this.#members.ended(id, now)
    // One that was asked to go says goodbye at about the same time.
    const isExpected = (state === 'draining' || state === 'drained') && slots.length === 0
    this.#events.publish(isExpected ? 'left' : 'died', { role: 'worker', id, version })
    if (isExpected) return true
    const { logger, metrics } = this.#env
    logger.warn({ worker: id, version, slots: slots.length }, 'the process of a worker has ended')
    metrics.workersEnded.inc({ version })
    return true
  }

  #forget({ role, id, version }: Heartbeat): void {
    this.#members.forget(id)
    this.#events.publish('died', { role, id, version })
  }

  /** Retires proxies that are dead for certain, now and then. */
  async retireDead(now: number): Promise<void> {
    const { store, logger } = this.#env
    await this.#registerHeard()
    if (!this.#members.trustsSilence(now) || now - this.#lookedAt < instancesLookMs) return
    this.#lookedAt = now
    for (const { id, state } of await store.instances()) {
      if (state === 'live' && !this.#members.isDead(id, this.#config.controller.proxy_death_time, now)) continue
      const beat = this.#members.beatOf(id)
      if (beat !== null) this.#forget(beat)
      this.#instances
        .retire(id)
        .catch((error: unknown) => logger.warn({ err: error, proxy: id }, 'retiring goes on later'))
    }
  }

  async #registerHeard(): Promise<void> {
    const heard = this.#members.proxies().map(({ beat }) => beat.id)
    const unknown = heard.filter((id) => !this.#registered.has(id))
    if (unknown.length === 0) return
    await this.#env.store.registerInstances(unknown)
    for (const id of unknown) this.#registered.add(id)
  }
}
