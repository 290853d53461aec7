import type { ChannelNames } from '../../config/channel-name.ts'
import type { Fault, FaultKind } from '../../protocol/records/fault.ts'
import { isDrawn } from './draw.ts'
import { compileMatch } from './matching.ts'
import type { Matcher } from './matching.ts'

/** Users or slots whose frames or requests one fault counts; the one that was not seen for longest is forgotten. */
export const countedMax = 10_000

/** A fault that a process follows: its rule, compiled, and how far its draws have come. */
export class ActiveFault {
  readonly rule: Fault
  /** Monotonic ms; Infinity for one that stays. */
  readonly endsAt: number
  readonly matches: Matcher
  readonly #counts: Map<string, number>

  /** `before` is what was followed under this name: the same rule goes on where it was. Throws for a bad expression. */
  constructor(rule: Fault, names: ChannelNames, now: number, before?: ActiveFault) {
    this.rule = rule
    this.endsAt = rule.leftMs === undefined ? Infinity : now + rule.leftMs
    this.matches = compileMatch(rule.match ?? {}, names)
    this.#counts = before !== undefined && isSame(before.rule, rule) ? before.#counts : new Map()
  }

  /** Which one this is of those that the rule could strike, of one user or slot. From 1. */
  count(of: string): number {
    const count = (this.#counts.get(of) ?? 0) + 1
    this.#counts.delete(of)
    this.#counts.set(of, count)
    if (this.#counts.size > countedMax) this.#counts.delete(this.#counts.keys().next().value!)
    return count
  }

  /** Whether it does that to the frame, record or request of this identity. */
  isDrawn(kind: FaultKind, identity: string): boolean {
    const { seed, name: fault, [kind]: action } = this.rule
    return action !== undefined && isDrawn({ seed, fault, kind, identity }, action.percentage)
  }
}

/** Apart from what is left of its time. */
function isSame(before: Fault, after: Fault): boolean {
  const text = (rule: Fault) => JSON.stringify({ ...rule, leftMs: null })
  return text(before) === text(after)
}
