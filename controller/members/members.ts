import type { ControllerBeat, EngineBeat, Heartbeat, ProxyBeat, WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'

/** A process that lives, by its newest heartbeat. */
export interface Member<B extends Heartbeat = Heartbeat> {
  beat: B
  /** Monotonic ms by this controller's clock. */
  firstSeenAt: number
  lastSeenAt: number
}

/** A gap between echoes of its own heartbeats longer than this many intervals makes a controller distrust silence. */
export const echoGapBeats = 3

/** Processes that said goodbye, or whose end was seen, and are remembered at most. */
export const leftKept = 1_000

/** Heartbeat intervals for which nothing is believed of a process whose end was seen: it was sent before. */
export const endedDeafBeats = 5

/** Commits that do not come while records wait, for so many death times, are a sign that the app hangs. */
export const stuckDeathTimes = 4

/**
 * Who is alive, as the status topic tells. Absence counts only over time in which this controller's own heartbeats
 * came back: a log that stands still makes nobody dead.
 */
export class Members {
  readonly #id: string
  readonly #intervalMs: number
  readonly #all = new Map<string, Member>()
  readonly #left = new Set<string>()
  /** Monotonic ms at which the end of a process was seen. */
  readonly #ended = new Map<string, number>()
  /** Since when, without a gap, our own heartbeats have come back; null before the first. */
  #echoSince: number | null = null
  #echoAt = 0

  constructor(id: string, intervalMs: number) {
    this.#id = id
    this.#intervalMs = intervalMs
  }

  /**
   * Takes note of a record that came now. Returns true when somebody is new, has left, changed state, or is a worker with
   * fewer slots than before: one that lost a slot to nobody says so in no other way.
   */
  note(record: StatusRecord, now: number): boolean {
    if (record.type === 'left') {
      this.#left.add(record.id)
      if (this.#left.size > leftKept) this.#left.delete(this.#left.values().next().value!)
      return this.#all.delete(record.id)
    }
    // Heartbeats and farewells come on two topics: one may overtake the other.
    if (record.type !== 'heartbeat' || this.#left.has(record.id) || this.#isLate(record.id, now)) return false
    if (record.id === this.#id) this.#echo(now)
    const known = this.#all.get(record.id)
    this.#all.set(record.id, { beat: record, firstSeenAt: known?.firstSeenAt ?? now, lastSeenAt: now })
    if (known === undefined) return true
    const { beat } = known
    const hasFewer = record.role === 'worker' && beat.role === 'worker' && record.slots.length < beat.slots.length
    return hasFewer || ('state' in record && 'state' in beat && record.state !== beat.state)
  }

  /** What a process that is known said last; null for others. */
  beatOf(id: string): Heartbeat | null {
    return this.#all.get(id)?.beat ?? null
  }

  /** True for one that said goodbye, or whose end was seen. */
  hasLeft(id: string): boolean {
    return this.#left.has(id) || this.#ended.has(id)
  }

  #echo(now: number): void {
    if (this.#echoSince === null || now - this.#echoAt > this.#intervalMs * echoGapBeats) this.#echoSince = now
    this.#echoAt = now
  }

  /** True when silence of others means something: our own heartbeats come back. */
  trustsSilence(now: number): boolean {
    return this.#echoSince !== null && now - this.#echoAt <= this.#intervalMs * echoGapBeats
  }

  /** Whether nothing was heard of `id` for `deathMs` in which it should have been heard. */
  isDead(id: string, deathMs: number, now: number): boolean {
    if (this.#ended.has(id)) return true
    if (!this.trustsSilence(now)) return false
    const heardAt = Math.max(this.#all.get(id)?.lastSeenAt ?? 0, this.#echoSince!)
    return now - heardAt > deathMs
  }

  /** All that are known and up, by id; whoever has left or was declared dead is not. */
  workers(): Member<WorkerBeat>[] {
    return this.#workers().filter(({ beat }) => beat.state !== 'starting')
  }

  /** Workers that are not up yet. */
  starting(): Member<WorkerBeat>[] {
    return this.#workers().filter(({ beat }) => beat.state === 'starting')
  }

  proxies(): Member<ProxyBeat>[] {
    return this.#ofRole('proxy') as Member<ProxyBeat>[]
  }

  controllers(): Member<ControllerBeat>[] {
    return this.#ofRole('controller') as Member<ControllerBeat>[]
  }

  engines(): Member<EngineBeat>[] {
    return this.#ofRole('engine') as Member<EngineBeat>[]
  }

  /** Its process has ended: what comes within a few intervals was sent before. One that goes on lives all the same. */
  ended(id: string, now: number): void {
    this.#all.delete(id)
    this.#ended.set(id, now)
    if (this.#ended.size > leftKept) this.#ended.delete(this.#ended.keys().next().value!)
  }

  #isLate(id: string, now: number): boolean {
    const endedAt = this.#ended.get(id)
    if (endedAt === undefined) return false
    if (now - endedAt < this.#intervalMs * endedDeafBeats) return true
    this.#ended.delete(id)
    return false
  }

  /** It is dead: whatever still comes from it counts as somebody new. */
  forget(id: string): void {
    this.#all.delete(id)
  }

  #workers(): Member<WorkerBeat>[] {
    return this.#ofRole('worker') as Member<WorkerBeat>[]
  }

  #ofRole(role: Heartbeat['role']): Member[] {
    return [...this.#all.values()]
      .filter(({ beat }) => beat.role === role)
      .sort((a, b) => (a.beat.id < b.beat.id ? -1 : 1))
  }
}

/** A worker whose records wait although it is alive, while others get on: its app hangs. */
export function isStuck(worker: WorkerBeat, others: WorkerBeat[], deathMs: number): boolean {
  const limit = deathMs * stuckDeathTimes
  const isBehind = worker.slots.some((slot) => slot.waitingMs > limit)
  return (
    isBehind && others.some((other) => other.id !== worker.id && other.slots.every((slot) => slot.waitingMs <= limit))
  )
}
