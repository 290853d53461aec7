import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Stored } from '../history.ts'

/**
 * Nothing acknowledged is missing in the store, no offset of a channel is missing there, and a subscriber whose
 * position never broke has received everything up to what it saw last (or up to the end, when it is there then).
 */
export function loss(facts: Facts): Finding[] {
  const { found, add } = findingsOf('loss')
  for (const message of facts.messages.values()) {
    if (message.acknowledged.length > 0 && message.stored.length === 0) {
      add(`${message.id} was acknowledged and is not in the store`, [...message.sends, ...message.acknowledged])
    }
  }
  const storedByChannel = new Map<string, Map<number, Stored>>()
  for (const channel of facts.channels.values()) {
    const byOffset = new Map(channel.stored.map((stored) => [stored.offset, stored]))
    storedByChannel.set(channel.name, byOffset)
    for (let offset = 1; offset <= (channel.read?.top ?? 0); offset++) {
      if (byOffset.has(offset)) continue
      const seen = facts.operations.filter(
        (operation) =>
          operation.kind === 'delivery' && operation.channel === channel.name && operation.offset === offset,
      )
      add(`offset ${offset} of ${channel.name} is missing in the store`, seen)
    }
  }
  for (const span of facts.spans) {
    const stored = storedByChannel.get(span.channel)
    if (stored === undefined) continue
    const received = new Set(span.deliveries.map((delivery) => delivery.offset))
    for (const message of stored.values()) {
      const due = message.offset > span.from && (span.openAtEnd || message.offset <= span.last)
      if (message.epoch !== span.epoch || !due || received.has(message.offset)) continue
      const from = `${span.client}, positioned in ${span.channel} since ${span.from}`
      add(`${from}, never received offset ${message.offset} (${message.message})`, [message])
    }
  }
  return found
}
