import type { StoreEnv } from '../../cluster/env.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Hints } from '../leading/hints.ts'
import type { Announced } from '../members/announced.ts'
import type { PendingMove, Plan } from './reconcile.ts'
import type { HandoffPolicy } from './wanted-traffic.ts'

/** Makes plans come true: says which version serves, hints moves, and knows which of them are under way. */
export class Moves {
  readonly #env: StoreEnv
  readonly #hints: Hints
  readonly #announced: Announced
  readonly #pending = new Map<SlotId, PendingMove>()

  constructor(env: StoreEnv, hints: Hints, announced: Announced) {
    this.#env = env
    this.#hints = hints
    this.#announced = announced
  }

  /** Moves that were hinted and are not seen to be done. */
  get pending(): ReadonlyMap<SlotId, PendingMove> {
    return this.#pending
  }

  /** A new term starts without plans of its own: what is under way shows in the leases. */
  forget(): void {
    this.#pending.clear()
  }

  /** Carries out a plan that was made when `serving` served. Returns the version that serves now. */
  async carryOut(plan: Plan, serving: string | null, term: number, handoff: HandoffPolicy): Promise<string | null> {
    for (const slot of plan.finished) this.#pending.delete(slot)
    for (const move of plan.letGo) this.#pending.set(move.slot, move)
    if (plan.serving !== null && !(await this.#serve(serving, plan.serving))) return serving
    const { drainMs, warmup } = handoff
    const patience = { ...(drainMs !== null && { drainMs }), ...(warmup !== null && { warmup }) }
    for (const move of plan.moves) {
      this.#pending.set(move.slot, move)
      const { slot, epoch, from, to } = move
      this.#hints.send({ type: 'move', term, slot, epoch, from, to, announced: this.#announced.of(slot), ...patience })
    }
    return plan.serving ?? serving
  }

  /** False when another controller has said otherwise meanwhile. */
  async #serve(before: string | null, version: string): Promise<boolean> {
    const { store, logger } = this.#env
    if (!(await store.setServingVersion(before, version))) return false
    if (before === null) logger.info({ version }, `version ${version} serves`)
    else logger.warn({ version, before }, `no worker of version ${before} is alive: version ${version} takes over`)
    return true
  }
}
