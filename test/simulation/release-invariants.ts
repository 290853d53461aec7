/** What must be true of a rollout at every step, judged from what is kept of it and from what workers have said. */
import type { Controller } from '../../controller/controller.ts'
import { RolloutError } from '../../controller/rollouts/errors.ts'
import type { RolloutState } from '../../controller/rollouts/state.ts'
import { isUnderWay } from '../../controller/rollouts/state.ts'
import type { RolloutView } from '../../controller/rollouts/view.ts'
import type { Sql } from '../../engine/sql.ts'
import type { LogEntry } from '../../log/log.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import type { StoreAnswer, StoreArguments, StoreRequest } from '../../store/embedded/sqlite-store.ts'
import type { DocumentWrite } from '../../store/store.ts'
import { count } from './counts.ts'
import type { Counts } from './counts.ts'
import type { Host } from './host.ts'
import type { ReleaseParameters } from './parameters.ts'
import { rolloutName } from './release-resources.ts'

/** What is looked at. */
export interface ReleaseInvariantsWorld {
  releases: ReleaseParameters
  sql: () => Sql
  /** The controller that runs on a host. */
  controllerOf: (host: Host) => Controller | undefined
  counts: Counts
  broken: (problem: string) => void
}

/** The rollout as a controller saw it when it decided; null when it knew of none. */
type Seen = RolloutView | null

/**
 * What must hold of every decision: no weight is given to a version, and none is made to serve, of which its controller
 * sees no worker; and nothing is promoted of which less was measured than is asked for, unless a person said so.
 */
export class ReleaseInvariants {
  readonly #world: ReleaseInvariantsWorld
  #state: RolloutState | null = null
  #decider: Host | null = null
  /** What each request was decided by. */
  readonly #seen = new WeakMap<object, Seen>()
  /** Heartbeats of each worker: read when they are needed. */
  readonly #beats = new Map<Host, Buffer[]>()

  constructor(world: ReleaseInvariantsWorld) {
    this.#world = world
  }

  /** A process has said how it is. */
  announced(host: Host, entries: readonly LogEntry[]): void {
    if (host.role !== 'worker') return
    this.#beats.getOrInsertComputed(host, () => []).push(...entries.map(({ value }) => value))
  }

  /** A controller asks for something, in the turn in which it has decided it. */
  asked<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>): void {
    if (request !== 'putDocuments' && request !== 'setServingVersion') return
    this.#seen.set(values, seenBy(this.#world.controllerOf(host)))
  }

  done<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>, answer: StoreAnswer<R>): void {
    if (request === 'setServingVersion' && answer === true) this.#serves(values)
    if (request !== 'putDocuments' || answer !== 'written') return
    const { writes } = values[0] as { writes: readonly DocumentWrite[] }
    const write = writes.find(({ kind }) => kind === 'RolloutState')
    if (write === undefined) return
    const before = this.#state
    this.#state = write.body === null ? null : (JSON.parse(write.body) as RolloutState)
    if (this.#state === null) return
    this.#tell(host, before, this.#state)
    if (before === null) return
    this.#checkWeight(before, this.#state, this.#seen.get(values) ?? null)
    this.#checkPromotion(before, this.#state)
  }

  /** The store is another one by now. */
  startAnew(): void {
    const row = this.#world.sql().get("SELECT body FROM document WHERE kind = 'RolloutState'")
    this.#state = typeof row?.['body'] === 'string' ? (JSON.parse(row['body']) as RolloutState) : null
  }

  #serves(values: readonly unknown[]): void {
    const version = values[1] as string
    const seen = this.#seen.get(values) ?? null
    if (seen !== null && !seen.workers[version] && !seen.slots.byVersion[version])
      this.#world.broken(`${version} is made to serve, and has no worker`)
  }

  #checkWeight(before: RolloutState, after: RolloutState, seen: Seen): void {
    const isSame = before.revision === after.revision && before.attempt === after.attempt
    if (seen === null || !isSame || after.canary === after.stable || before.weight === after.weight) return
    const gains = after.weight > before.weight ? after.canary : after.stable
    if (!seen.workers[gains])
      this.#world.broken(
        `the weight of ${after.canary} goes from ${before.weight} to ${after.weight}, and ${gains} has no worker`,
      )
  }

  #checkPromotion(before: RolloutState, after: RolloutState): void {
    const { judged, minCommands } = this.#world.releases
    const news = newEntries(before, after)
    if (judged === 'nobody' || before.isFull || after.isFull) return
    if (news.some(({ type }) => type === 'RolloutPromoted') || !news.some(({ type }) => type === 'RolloutCompleted'))
      return
    const { canary } = before
    const least = judged === 'templates' ? minCommands : 0
    const commands = this.#commandsOf(canary)
    if (commands === null || commands < least)
      this.#world.broken(`${canary} is promoted after ${commands} commands, where ${least} are to be judged`)
  }

  /** What all workers of a version say that they have handled; null when none has said anything. */
  #commandsOf(version: string): number | null {
    let sum: number | null = null
    for (const beats of this.#beats.values()) {
      const counted = beats.flatMap((value) => {
        const beat = decodeStatus(value)
        const isOurs = beat.type === 'heartbeat' && beat.role === 'worker' && beat.version === version
        return isOurs && beat.counters ? [beat.counters.commands] : []
      })
      if (counted.length > 0) sum = (sum ?? 0) + Math.max(...counted)
    }
    return sum
  }

  #tell(host: Host, before: RolloutState | null, after: RolloutState): void {
    const { counts } = this.#world
    const tell = (what: string) => count(counts, `rollouts: ${what}`)
    if (before && isUnderWay(before) && this.#decider !== null && this.#decider !== host)
      tell('another controller went on')
    this.#decider = host
    for (const { type } of newEntries(before, after)) tell(type)
    if (after.mode !== before?.mode) tell(`is ${after.mode}`)
    if (after.abort && !before?.abort) tell(`aborted, ${after.abort.reason}`)
    if (after.hold && !before?.hold) tell(`held, ${after.hold.reason}`)
  }
}

/** Of what happened, that which the state before does not have. */
function newEntries(before: RolloutState | null, after: RolloutState): RolloutState['entries'] {
  return before?.revision === after.revision ? after.entries.slice(before.entries.length) : after.entries
}

function seenBy(controller: Controller | undefined): Seen {
  try {
    return controller?.rollouts.view(rolloutName) ?? null
  } catch (error) {
    if (error instanceof RolloutError) return null
    throw error
  }
}
