import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Delivery, Subscribed } from '../history.ts'

interface Position {
  subscribed: boolean
  epoch: string
  offset: number
  /** What set the position: shown beside what breaks it. */
  by: Subscribed | Delivery
}

/**
 * While a client is subscribed each publication is one above the one before; a recovery goes on where the client
 * was; nothing arrives unsubscribed and nothing goes back.
 */
export function channelOrder(facts: Facts): Finding[] {
  const { found, add } = findingsOf('order in a channel')
  const positions = new Map<string, Map<string, Position>>()
  for (const operation of facts.operations) {
    if (operation.kind === 'subscribed') {
      const { client, channel, epoch, offset, recovery } = operation
      const byChannel = positions.getOrInsertComputed(client, () => new Map<string, Position>())
      const before = byChannel.get(channel)
      byChannel.set(channel, { subscribed: true, epoch, offset, by: operation })
      if (before === undefined) continue
      const who = `${client} in ${channel}`
      if (before.subscribed) add(`${who} was subscribed twice`, [before.by, operation])
      const moved = before.epoch !== epoch || before.offset !== offset
      if (recovery === 'recovered' && moved) {
        add(`${who} was at ${before.offset} and recovered from ${offset}`, [before.by, operation])
      } else if (before.epoch === epoch && offset < before.offset) {
        add(`${who} went back from ${before.offset} to ${offset}`, [before.by, operation])
      }
    } else if (operation.kind === 'delivery') {
      const { client, channel, epoch, offset } = operation
      const who = `${client} in ${channel}`
      const position = positions.get(client)?.get(channel)
      if (position === undefined || !position.subscribed) {
        add(`${who} received ${offset} without being subscribed`, [operation])
        continue
      }
      if (position.epoch !== epoch) {
        add(`${who} is in epoch ${position.epoch} and received one of ${epoch}`, [position.by, operation])
      } else if (offset !== position.offset + 1) {
        const word = offset <= position.offset ? 'went back' : 'skipped'
        add(`${who} ${word} from ${position.offset} to ${offset}`, [position.by, operation])
      }
      Object.assign(position, { epoch, offset, by: operation })
    } else if (operation.kind === 'unsubscribed' || operation.kind === 'left') {
      const position = positions.get(operation.client)?.get(operation.channel)
      if (position !== undefined) position.subscribed = false
    } else if (operation.kind === 'closed') {
      for (const position of positions.get(operation.client)?.values() ?? []) position.subscribed = false
    }
  }
  return found
}
