import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Acknowledged, Delivery, Stored } from '../history.ts'

/** Whatever a client was shown, a publication or the place in an answer, is in the store: there, and as it was. */
export function durability(facts: Facts): Finding[] {
  const { found, add } = findingsOf('durable before visible')
  const unread = new Set<string>()
  for (const message of facts.messages.values()) {
    for (const shown of [...message.acknowledged, ...message.deliveries]) {
      if ((facts.channels.get(shown.channel)?.read ?? null) === null) {
        unread.add(shown.channel)
        continue
      }
      if (message.stored.some((stored) => agrees(stored, shown))) continue
      const word = shown.kind === 'delivery' ? 'delivered' : 'acknowledged'
      add(`${message.id} was ${word} to ${shown.client}, and the store has not the same`, [shown, ...message.stored])
    }
  }
  for (const channel of unread) add(`${channel} was not read to its end`, [])
  return found
}

function agrees(stored: Stored, shown: Acknowledged | Delivery): boolean {
  if (stored.channel !== shown.channel) return false
  if (shown.kind === 'delivery' && shown.body !== stored.body) return false
  const place = shown.kind === 'delivery' ? shown : shown.place
  return place === null || (place.epoch === stored.epoch && place.offset === stored.offset)
}
