/** Virtual time, and the order in which everything happens. */
import type { Seeded } from './seeded.ts'

/** Who a task belongs to: it does not run while its process is frozen, and never once it is dead. */
export interface TaskOwner {
  readonly name: string
  readonly state: 'running' | 'frozen' | 'dead'
  /** Keeps a task that is due until the owner wakes. */
  park(task: Task): void
}

/** One asynchronous step. Without an owner it is the world's: the network, the log, the store, a fault. */
export interface Task {
  at: number
  /** Decides among tasks of the same time. */
  tie: number
  readonly owner: TaskOwner | null
  readonly what: string
  /** Null once it is cancelled. */
  run: (() => void) | null
}

/** Steps that are handed to the event loop at once: the loop drains microtasks between two of them. */
const stepsAtOnce = 256

/**
 * The one queue of a simulation. Time is virtual: it jumps to the next task. Which tasks are due together, and in which
 * order, comes from delays and ties that the seed draws. After each step all microtasks run to their end.
 */
export class Scheduler {
  /** Virtual ms since the start. */
  now = 0
  /** What all clocks show beyond that, ms: the machine's clock may be set. Timers and durations know nothing of it. */
  aheadMs = 0
  /** Steps taken. */
  steps = 0
  /** Whose step is being taken, microtasks included. */
  current: TaskOwner | null = null
  /** Called before each step. */
  trace: ((line: string) => void) | null = null
  readonly #random: Seeded
  readonly #failed: (error: unknown) => void
  readonly #heap: Task[] = []

  /** `failed` is told what a step throws. */
  constructor(random: Seeded, failed: (error: unknown) => void) {
    this.#random = random
    this.#failed = failed
  }

  /** Tasks that wait. */
  get size(): number {
    return this.#heap.length
  }

  after(ms: number, owner: TaskOwner | null, what: string, run: () => void): Task {
    const task: Task = { at: this.now + ms, tie: this.#random.float(), owner, what, run }
    this.#push(task)
    return task
  }

  /** Puts a task back that was parked. */
  resume(task: Task, ms: number): void {
    task.at = this.now + ms
    task.tie = this.#random.float()
    this.#push(task)
  }

  /** Takes steps until `isOver` says so. */
  run(isOver: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    let ended = false
    let left = 0
    const pump = () => {
      left = stepsAtOnce
      for (let index = 0; index < stepsAtOnce; index++) setImmediate(step)
    }
    const step = () => {
      left--
      if (ended) return
      if (isOver()) {
        ended = true
        this.current = null
        return resolve()
      }
      this.#step()
      if (left === 0) pump()
    }
    pump()
    return promise
  }

  #step(): void {
    const task = this.#pop()
    if (task === undefined) return this.#failed(new Error('nothing is left to do'))
    const { owner, run, what } = task
    if (run === null || owner?.state === 'dead') return
    this.now = Math.max(this.now, task.at)
    if (owner?.state === 'frozen') return owner.park(task)
    this.steps++
    this.current = owner
    this.trace?.(`${this.steps} ${this.now.toFixed(3)} ${owner?.name ?? 'world'} ${what}`)
    try {
      run()
    } catch (error) {
      this.#failed(error)
    }
  }

  #push(task: Task): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(task, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = task
  }

  #pop(): Task | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    while (true) {
      let below = at * 2 + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie)
}
