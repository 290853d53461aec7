import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'

/** Pauses remembered; of more, later ones are only counted. */
export const pausesMax = 10_000

/** What happened to slots and connections while a rollout was under way, from when this was made. */
export class Tally {
  /** Ms since 1970. */
  readonly since: number
  /** Connections that ended, by disconnect code. */
  readonly closed = new Map<string, number>()
  /** Ms, of slots that changed hands. */
  readonly pausesMs: number[] = []
  moved = 0
  /** What proxies had counted when they were looked at last. */
  readonly #closed: Map<string, Record<string, number>>

  constructor(since: number, proxies: readonly ProxyBeat[]) {
    this.since = since
    this.#closed = new Map(proxies.map(({ id, closed }) => [id, closed ?? {}]))
  }

  /** A slot has another owner. */
  pause(pauseMs: number): void {
    this.moved++
    if (this.pausesMs.length < pausesMax) this.pausesMs.push(pauseMs)
  }

  /** Counts what proxies have counted since; one that was not there has begun at 0. */
  look(proxies: readonly ProxyBeat[]): void {
    for (const { id, closed = {} } of proxies) {
      const before = this.#closed.get(id) ?? {}
      for (const [code, count] of Object.entries(closed)) {
        const more = count - (before[code] ?? 0)
        if (more > 0) this.closed.set(code, (this.closed.get(code) ?? 0) + more)
      }
      this.#closed.set(id, closed)
    }
  }
}
