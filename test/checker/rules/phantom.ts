import type { Facts, MessageFacts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Delivery, Stored } from '../history.ts'

/** Nothing is stored or delivered that was not sent there, with that body, or of which every attempt was refused. */
export function phantom(facts: Facts): Finding[] {
  const { found, add } = findingsOf('phantom')
  for (const message of facts.messages.values()) {
    for (const appearance of [...message.deliveries, ...message.stored]) {
      const why = phantomOf(message, appearance)
      if (why !== null)
        add(`${message.id} was ${wordFor(appearance)} ${why}`, [...message.sends, ...message.refused, appearance])
    }
  }
  return found
}

function wordFor(appearance: Delivery | Stored): string {
  return appearance.kind === 'stored' ? 'stored' : `delivered to ${appearance.client}`
}

function phantomOf(message: MessageFacts, appearance: Delivery | Stored): string | null {
  const first = message.sends[0]
  if (first === undefined) return 'but never sent'
  if (first.at > appearance.at) return 'before it was sent'
  if (first.channel !== appearance.channel) return `in ${appearance.channel}, but sent to ${first.channel}`
  if (first.body !== appearance.body) return 'with another body than was sent'
  // A refusal excludes only its own attempt: one without an answer, or an unclear one, may have happened.
  const attempts = new Set(message.sends.map((send) => send.attempt))
  for (const refusal of message.refused) attempts.delete(refusal.attempt)
  return attempts.size === 0 ? 'although every attempt was refused' : null
}
