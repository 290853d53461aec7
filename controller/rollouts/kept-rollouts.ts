import type { StoreEnv } from '../../cluster/env.ts'
import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import type { DocumentRevision, DocumentWrite } from '../../store/store.ts'
import type { Measurer } from '../analysis/measurer.ts'
import type { Totals } from '../analysis/version-totals.ts'
import { RolloutError } from './errors.ts'
import { reportOf } from './report.ts'
import type { RolloutReport, Verdict } from './report.ts'
import type { RolloutSpec } from './spec.ts'
import { adopted, firstState } from './state.ts'
import type { RolloutState } from './state.ts'
import { Tally } from './tally.ts'

/** Kinds of the documents that rollouts keep. */
export const rolloutKinds = { state: 'RolloutState', report: 'RolloutReport' } as const

/** Writes documents, with a note of who asked for it. Throws when it did not. */
export type Keep = (change: {
  what: string
  target: string
  before: unknown
  after: unknown
  writes: DocumentWrite[]
}) => Promise<void>

/** A command that is taken. */
export interface Ordered {
  what: string
  /** Of its resource. */
  writes: DocumentWrite[]
  keep: Keep
}

/** A rollout and what is counted of it. */
export interface Kept {
  state: RolloutState
  /** Of its document, 0 before the first. */
  revision: number
  tally: Tally
  /** What versions had done when it began. */
  base: ReadonlyMap<string, Totals>
  verdicts: Map<string, Verdict>
  /** Hand-offs since the last look that took longer than they may. */
  longPauses: number
  /** The weight that placement was told last, and of which canary. */
  told: { canary: string; weight: number } | null
}

/** What keeping needs of the controller around it. */
export interface KeepingGround {
  /** Of the lead that is held. */
  term: () => number
  analyses: Pick<Measurer, 'totals'>
}

/**
 * What is kept of rollouts: the state of each as a document, which is written under the leader's term, its report when it
 * ends, and what is counted of it in memory.
 */
export class KeptRollouts {
  readonly #env: StoreEnv
  readonly #ground: KeepingGround
  readonly #byName = new Map<string, Kept>()
  #proxies: readonly ProxyBeat[] = []

  constructor(env: StoreEnv, ground: KeepingGround) {
    this.#env = env
    this.#ground = ground
  }

  /** Undefined for one that has not begun. */
  get(name: string): Kept | undefined {
    return this.#byName.get(name)
  }

  /** All that have begun. */
  get all(): Kept[] {
    return [...this.#byName.values()]
  }

  /** What others may have written meanwhile is to be adopted anew. */
  forget(): void {
    this.#byName.clear()
  }

  /** Takes up what the store has, at the time `now` of the rollouts' clock. Throws StoreError. */
  async adopt(now: number): Promise<void> {
    for (const { name, revision, body } of await this.#env.store.documents(rolloutKinds.state)) {
      this.#byName.set(name, this.#counted(adopted(JSON.parse(body) as RolloutState, now), revision, now))
    }
  }

  /** One of which nothing is kept yet begins; it is written when something comes of it. */
  begin({ name, groups }: RolloutSpec, serving: string, now: number): Kept {
    const kept = this.#counted(firstState(name, serving, groups, now), 0, now)
    this.#byName.set(name, kept)
    return kept
  }

  /** Takes note of what was announced; a planned hand-off that took longer than `maxPauseMs` was too long. */
  heard(record: StatusRecord, maxPauseMs: number): void {
    if (record.type !== 'acquired') return
    for (const kept of this.#byName.values()) {
      if (kept.state.endedAt !== null) continue
      kept.tally.pause(record.pauseMs)
      if (record.kind === 'planned' && record.pauseMs > maxPauseMs) kept.longPauses++
    }
  }

  /** Counts what proxies say they closed. */
  look(proxies: readonly ProxyBeat[]): void {
    this.#proxies = proxies
    for (const { state, tally } of this.#byName.values()) if (state.endedAt === null) tally.look(proxies)
  }

  /**
   * Writes what a rollout has come to, with what a command asks for beside it; one that ends leaves its report. Throws
   * RolloutError when another leads or was faster, what `by.keep` throws, and StoreError: then nothing here holds any more.
   */
  async write(kept: Kept, state: RolloutState, now: number, by?: Ordered): Promise<void> {
    const before = kept.state
    const { name } = state
    const writes: DocumentWrite[] = [
      { kind: rolloutKinds.state, name, seen: kept.revision, body: JSON.stringify(state) },
      ...(by?.writes ?? []),
    ]
    if (hasEnded(before, state)) writes.push(await this.#reportWrite(kept, state))
    await (by
      ? by.keep({ what: by.what, target: `Rollout/${name}`, before: brief(before), after: brief(state), writes })
      : this.#writeOwn(name, writes))
    // One whose name was there before goes on from what that had.
    kept.revision = kept.revision === 0 ? (await this.#last(rolloutKinds.state, name))!.revision : kept.revision + 1
    kept.state = state
    const isSame = before.revision === state.revision && before.attempt === state.attempt
    if (!isSame) Object.assign(kept, this.#counts(state, now))
  }

  /** Reports of a rollout, the newest first. */
  async reports(name: string, limit: number): Promise<RolloutReport[]> {
    const kept = await this.#env.store.documentHistory(rolloutKinds.report, name, limit)
    return kept.flatMap(({ body }) => (body === null ? [] : [JSON.parse(body) as RolloutReport]))
  }

  /**
   * A rollout whose resource is gone is over: slots are where they are without it. Its reports are read for as long as the
   * store keeps what was deleted.
   */
  async forgetDeleted(isThere: (name: string) => boolean): Promise<void> {
    for (const [name, { revision, state }] of this.#byName) {
      if (isThere(name)) continue
      const writes: DocumentWrite[] = []
      if (revision > 0) writes.push({ kind: rolloutKinds.state, name, seen: revision, body: null })
      const report = seenOf(await this.#last(rolloutKinds.report, name))
      if (report > 0) writes.push({ kind: rolloutKinds.report, name, seen: report, body: null })
      await this.#env.store.putDocuments({ writes, term: this.#ground.term(), audit: null })
      this.#env.logger.info({ rollout: name, phase: state.phase }, 'its resource is deleted, the rollout is over')
      this.#byName.delete(name)
    }
  }

  #counted(state: RolloutState, revision: number, now: number): Kept {
    return { state, revision, ...this.#counts(state, now), longPauses: 0, told: null }
  }

  /** Counting begins. */
  #counts({ stable, canary }: RolloutState, now: number): Pick<Kept, 'tally' | 'base' | 'verdicts'> {
    const { totals } = this.#ground.analyses
    const base = new Map([stable, canary].map((version) => [version, totals.of(version)]))
    return { tally: new Tally(now, this.#proxies), base, verdicts: new Map() }
  }

  /** What nobody asked for. */
  async #writeOwn(name: string, writes: DocumentWrite[]): Promise<void> {
    const result = await this.#env.store.putDocuments({ writes, term: this.#ground.term(), audit: null })
    if (result === 'fenced') throw new RolloutError('not_leading', 'another controller leads')
    if (result === 'conflict') throw new RolloutError('changed_meanwhile', `${name} was changed at the same time`)
  }

  async #reportWrite(kept: Kept, state: RolloutState): Promise<DocumentWrite> {
    const { name } = state
    const { totals } = this.#ground.analyses
    const work = new Map([...kept.base].map(([version, base]) => [version, { now: totals.of(version), base }]))
    const report = reportOf(kept.state, state, kept.tally, work, [...kept.verdicts.values()])
    const last = await this.#last(rolloutKinds.report, name)
    return { kind: rolloutKinds.report, name, seen: seenOf(last), body: JSON.stringify(report) }
  }

  /** The newest revision of a document, which may be its deletion. */
  async #last(kind: string, name: string): Promise<DocumentRevision | undefined> {
    return (await this.#env.store.documentHistory(kind, name, 1))[0]
  }
}

/** What a write has to have seen of a document whose newest revision is this. */
function seenOf(last: DocumentRevision | undefined): number {
  return last === undefined || last.body === null ? 0 : last.revision
}

/** It is over, and was not before. */
export function hasEnded(before: RolloutState, after: RolloutState): boolean {
  return before.endedAt === null && after.endedAt !== null
}

/** For the audit log. */
function brief({ phase, reason, stable, canary, weight, step: at }: RolloutState): unknown {
  return { phase, reason, stable, canary, weight, step: at }
}
