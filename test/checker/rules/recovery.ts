import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Delivery, Subscribed } from '../history.ts'

/** What a channel keeps for recovery: the newest `historySize` publications, for `historyTtlMs`. */
export interface HistoryBounds {
  historySize: number
  historyTtlMs: number
}

/** A client that comes back within what a channel keeps is recovered; a new epoch never comes up. */
export function recovery(facts: Facts, bounds: HistoryBounds): Finding[] {
  const { found, add } = findingsOf('recovery')
  const last = new Map<string, Subscribed | Delivery>()
  for (const operation of facts.operations) {
    if (operation.kind !== 'subscribed' && operation.kind !== 'delivery') continue
    const key = `${operation.client} ${operation.channel}`
    const before = last.get(key)
    last.set(key, operation)
    if (before === undefined || operation.kind === 'delivery' || operation.recovery === 'recovered') continue
    const who = `${operation.client} in ${operation.channel}`
    const missed = operation.offset - before.offset
    if (before.epoch !== operation.epoch) {
      add(`${who} was in epoch ${before.epoch} and finds ${operation.epoch}`, [before, operation])
    } else if (missed <= bounds.historySize && operation.at - before.at < bounds.historyTtlMs) {
      add(`${who} missed ${missed} and was not recovered`, [before, operation])
    }
  }
  return found
}
