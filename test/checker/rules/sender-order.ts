import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Operation } from '../history.ts'

interface Placed {
  offset: number
  operation: Operation
}

/**
 * What one client sends into one channel keeps its order, and what was sent after somebody's acknowledgement came
 * lies above that message.
 *
 * Only messages acknowledged at the first attempt count as sent in order: a later attempt of a maybe may be the one
 * that took effect.
 */
export function senderOrder(facts: Facts): Finding[] {
  const { found, add } = findingsOf('order of a sender')
  const sentInOrder = new Map<string, Placed>()
  const acknowledged = new Map<string, Placed>()
  for (const operation of facts.operations) {
    if (operation.kind === 'acknowledged') {
      const offset = offsetOf(facts, operation.message)
      if (offset !== null) raise(acknowledged, operation.channel, { offset, operation })
      continue
    }
    if (operation.kind !== 'send' || operation.attempt !== 1) continue
    const offset = offsetOf(facts, operation.message)
    if (offset === null) continue
    const { client, channel, message } = operation
    const answered = acknowledged.get(channel)
    if (answered !== undefined && answered.offset >= offset) {
      add(`${message} was sent to ${channel} after offset ${answered.offset} was acknowledged, and lies at ${offset}`, [
        answered.operation,
        operation,
      ])
    }
    const attempts = facts.messages.get(message)
    if (attempts === undefined || attempts.sends.length !== 1 || attempts.acknowledged.length === 0) continue
    const earlier = sentInOrder.get(`${client} ${channel}`)
    if (earlier !== undefined && earlier.offset >= offset) {
      add(`${client} sent ${message} to ${channel} after the message at ${earlier.offset}, and it lies at ${offset}`, [
        earlier.operation,
        operation,
      ])
    }
    raise(sentInOrder, `${client} ${channel}`, { offset, operation })
  }
  return found
}

function offsetOf(facts: Facts, message: string): number | null {
  const entry = facts.messages.get(message)
  return entry?.stored[0]?.offset ?? entry?.acknowledged[0]?.place?.offset ?? null
}

function raise(places: Map<string, Placed>, key: string, placed: Placed): void {
  const before = places.get(key)
  if (before === undefined || before.offset < placed.offset) places.set(key, placed)
}
