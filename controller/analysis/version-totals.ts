import type { MethodCounters, WorkCounters } from '../../protocol/records/counters.ts'
import type { Heartbeat } from '../../protocol/records/heartbeat.ts'

/** What a version's workers have done, all of them together. Numbers only rise. */
export interface Totals {
  commands: number
  errors: number
  /** What proxies and workers found wrong with what it answered and sent. */
  violations: number
  /** Workers that ended and were not asked to. */
  crashes: number
  methods: ReadonlyMap<string, MethodCounters>
  /** Batches by time, see `timeBuckets`: in the app, and until they were committed. */
  handle: readonly number[]
  batch: readonly number[]
}

/** Versions that are remembered; the one that was heard of longest ago is forgotten. */
export const versionsMax = 16

/** Processes whose last word is remembered, of each role. */
export const processesMax = 2_000

/** Beats of a process after which it is none that just began: what it did before it was first heard is not news. */
export const newBeatsMax = 20

/** Nothing was done. */
export const noTotals: Totals = {
  commands: 0,
  errors: 0,
  violations: 0,
  crashes: 0,
  methods: new Map(),
  handle: [],
  batch: [],
}

/**
 * Sums by version of what heartbeats say that processes have done. Those that are gone stay in the sums, and what a
 * process did before this controller first heard of it does not count, unless it has just begun.
 */
export class VersionTotals {
  readonly #versions = new Map<string, { totals: Totals; heardAt: number }>()
  readonly #workers = new Map<string, WorkCounters>()
  readonly #proxies = new Map<string, Record<string, number>>()

  /** Takes note of a heartbeat that came now. */
  heard(beat: Heartbeat, now: number): void {
    if (beat.role === 'worker' && beat.counters) {
      const before = this.#workers.get(beat.id) ?? (beat.beat <= newBeatsMax ? nothing : beat.counters)
      keep(this.#workers, beat.id, beat.counters)
      this.#add(beat.version, difference(beat.counters, before), now)
    }
    if (beat.role !== 'proxy' || !beat.violations) return
    const before = this.#proxies.get(beat.id) ?? (beat.beat <= newBeatsMax ? {} : beat.violations)
    keep(this.#proxies, beat.id, beat.violations)
    for (const [version, count] of Object.entries(beat.violations)) {
      const violations = count - (before[version] ?? 0)
      // What is said of a version does not mean that it is there.
      if (violations > 0) this.#add(version, { ...noTotals, violations }, null)
    }
  }

  /** A worker of this version ended and was not asked to. */
  crashed(version: string): void {
    this.#add(version, { ...noTotals, crashes: 1 }, null)
  }

  /** A process is there no more: what it did stays. */
  forget(id: string): void {
    this.#workers.delete(id)
    this.#proxies.delete(id)
  }

  /** All that a version has done; nothing of one that was never heard of. */
  of(version: string): Totals {
    return this.#versions.get(version)?.totals ?? noTotals
  }

  /** When a worker of the version last said what it did; null when none has. */
  heardAt(version: string): number | null {
    const heardAt = this.#versions.get(version)?.heardAt ?? 0
    return heardAt === 0 ? null : heardAt
  }

  #add(version: string, more: Totals, heardAt: number | null): void {
    const known = this.#versions.get(version)
    this.#versions.delete(version)
    this.#versions.set(version, {
      totals: sum(known?.totals ?? noTotals, more),
      heardAt: heardAt ?? known?.heardAt ?? 0,
    })
    if (this.#versions.size > versionsMax) this.#versions.delete(this.#versions.keys().next().value!)
  }
}

/** The one that was heard of longest ago may go for it. */
function keep<T>(said: Map<string, T>, id: string, value: T): void {
  said.delete(id)
  said.set(id, value)
  if (said.size > processesMax) said.delete(said.keys().next().value!)
}

/** What there is more of in `now` than in `before`. */
export function totalsSince(now: Totals, before: Totals): Totals {
  return combine(now, before, (a, b) => a - b)
}

/** Counters of a method that nothing is known of. */
export const noMethod: MethodCounters = { commands: 0, errors: 0, refused: 0, silent: 0, several: 0 }

const nothing: WorkCounters = {
  commands: 0,
  errors: 0,
  effects: { publish: 0, reply: 0, fail: 0, read: 0 },
  violations: 0,
  methods: {},
  handle: [],
  batch: [],
}

function difference(now: WorkCounters, before: WorkCounters): Totals {
  return totalsSince(totalsOf(now), totalsOf(before))
}

function totalsOf({ methods, ...counters }: WorkCounters): Totals {
  return { ...counters, crashes: 0, methods: new Map(Object.entries(methods)) }
}

function sum(a: Totals, b: Totals): Totals {
  return combine(a, b, (x, y) => x + y)
}

function combine(a: Totals, b: Totals, of: (a: number, b: number) => number): Totals {
  const names = new Set([...a.methods.keys(), ...b.methods.keys()])
  const method = (name: string): MethodCounters => {
    const [x, y] = [a.methods.get(name) ?? noMethod, b.methods.get(name) ?? noMethod]
    return {
      commands: of(x.commands, y.commands),
      errors: of(x.errors, y.errors),
      refused: of(x.refused, y.refused),
      silent: of(x.silent, y.silent),
      several: of(x.several, y.several),
    }
  }
  return {
    commands: of(a.commands, b.commands),
    errors: of(a.errors, b.errors),
    violations: of(a.violations, b.violations),
    crashes: of(a.crashes, b.crashes),
    methods: new Map([...names].map((name) => [name, method(name)])),
    handle: eachOf(a.handle, b.handle, of),
    batch: eachOf(a.batch, b.batch, of),
  }
}

function eachOf(a: readonly number[], b: readonly number[], of: (a: number, b: number) => number): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => of(a[index] ?? 0, b[index] ?? 0))
}
