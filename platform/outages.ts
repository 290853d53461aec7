/** Of each thing an outage is told so often at most, whether it lasts or comes again. */
export const outageQuietMs = 60_000

/** Why a service that answers takes nothing for now: a reason to wait, for it is the same for everybody. */
export type Hindrance = 'full' | 'read_only' | 'disk' | 'too_few_replicas'

/** What is said of a service with a hindrance, after its name. */
export const hindranceWords: Record<Hindrance, string> = {
  full: 'is full',
  read_only: 'is read-only',
  disk: 'has a disk that is full or fails',
  too_few_replicas: 'has too few replicas in sync',
}

/** Why something is away; with a hindrance it does answer. */
export interface OutageError extends Error {
  /** Null or absent when there is no answer at all. */
  hindrance?: Hindrance | null
}

/** Who is told. `what` is a short name, such as `broker 1`. */
export interface OutageEvents {
  /** It does not answer, or takes nothing; told once, then once a while. */
  away(what: string, error: OutageError): void
  /** It answers again. */
  back(what: string): void
}

/** For whoever need not be told. */
export const untold: OutageEvents = { away() {}, back() {} }

/** Tells that something is away once for each outage, however often it is tried. */
export class Outages {
  readonly #events: OutageEvents
  readonly #nowMs: () => number
  readonly #told = new Map<string, { atMs: number; isAway: boolean }>()

  constructor(events: OutageEvents, nowMs: () => number = () => performance.now()) {
    this.#events = events
    this.#nowMs = nowMs
  }

  /** It is away, as one more try shows. */
  lost(what: string, error: OutageError): void {
    const atMs = this.#nowMs()
    if (atMs - (this.#told.get(what)?.atMs ?? -Infinity) < outageQuietMs) return
    this.#told.set(what, { atMs, isAway: true })
    this.#events.away(what, error)
  }

  /** It is there. Costs nothing while nothing is away. */
  answered(what: string): void {
    if (this.#told.size === 0) return
    const told = this.#told.get(what)
    if (!told?.isAway) return
    told.isAway = false
    this.#events.back(what)
  }
}
