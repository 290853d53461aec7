/** A simulated machine with one process, and its clock. */
import type { Clock } from '../../platform/clock.ts'
import type { Scheduler, Task, TaskOwner } from './scheduler.ts'
import type { Seeded } from './seeded.ts'

export type Role = 'proxy' | 'worker' | 'controller'
export type Link = 'log' | 'store'

/** Wall clocks of two processes differ by up to this much. */
const skewMs = 400
/** 2026-01-01, where virtual time begins. */
export const epochMs = 1_767_225_600_000
/** A woken process works off what piled up within this time. */
const wakeMs = 2

/** One simulated process: whether it runs, what it can reach, its clock and its randomness. */
export class Host implements TaskOwner {
  readonly name: string
  readonly role: Role
  readonly random: Seeded
  readonly clock: Clock
  readonly cut: Record<Link, boolean> = { log: false, store: false }
  state: 'running' | 'frozen' | 'dead' = 'running'
  /** How far its own clock has been set, ms. */
  aheadMs = 0
  /** The longest time for which it was frozen, ms. */
  frozenMs = 0
  #frozenAt = 0
  /** Called once when the process dies, whatever of. */
  onDeath: () => void = () => {}
  /** The same, for those who hold a connection to it. */
  readonly deaths = new Set<() => void>()
  readonly #scheduler: Scheduler
  #parked: Task[] = []

  constructor(scheduler: Scheduler, random: Seeded, role: Role, name: string) {
    this.#scheduler = scheduler
    this.random = random.fork(name)
    this.role = role
    this.name = name
    this.clock = hostClock(scheduler, this, this.random)
  }

  park(task: Task): void {
    this.#parked.push(task)
  }

  /** As SIGSTOP: nothing of it runs, what arrives waits. */
  freeze(): void {
    if (this.state !== 'running') return
    this.state = 'frozen'
    this.#frozenAt = this.#scheduler.now
  }

  wake(): void {
    if (this.state !== 'frozen') return
    this.state = 'running'
    this.frozenMs = Math.max(this.frozenMs, this.#scheduler.now - this.#frozenAt)
    const parked = this.#parked
    this.#parked = []
    for (const task of parked) this.#scheduler.resume(task, this.random.between(0, wakeMs))
  }

  /** As SIGKILL: what it has sent may still arrive, nothing reaches it any more. */
  kill(): void {
    if (this.state === 'dead') return
    this.state = 'dead'
    this.#parked = []
    this.onDeath()
    for (const told of this.deaths) told()
  }
}

function hostClock(scheduler: Scheduler, host: Host, random: Seeded): Clock {
  const skew = random.integer(-skewMs, skewMs)
  const start = random.integer(0, 1_000_000)
  // Timers are never early and mostly a little late.
  const late = () => random.float() * (random.chance(0.05) ? 10 : 1)
  const after: Clock['after'] = (ms, run) => {
    const task = scheduler.after(ms + late(), host, `timer ${ms}`, run)
    return { cancel: () => (task.run = null) }
  }
  return {
    now: () => Math.floor(epochMs + scheduler.now + scheduler.aheadMs + host.aheadMs + skew),
    monotonic: () => start + scheduler.now,
    after,
    every(ms, run) {
      let task: Task | null = null
      const next = () => {
        task = scheduler.after(ms + late(), host, `every ${ms}`, () => {
          next()
          run()
        })
      }
      next()
      return { cancel: () => void (task && (task.run = null)) }
    },
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
  }
}
