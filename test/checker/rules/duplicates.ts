import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Acknowledged, Delivery, Operation, Stored } from '../history.ts'

/**
 * A message has one place, whatever number of attempts it took; a place has one message; a client gets a message
 * once.
 */
export function duplicates(facts: Facts): Finding[] {
  const { found, add } = findingsOf('duplicates')
  const messageAt = new Map<string, { message: string; operation: Operation }>()
  for (const message of facts.messages.values()) {
    const places = new Map<string, Operation>()
    for (const operation of [...message.stored, ...message.acknowledged, ...message.deliveries]) {
      const place = placeOf(operation)
      if (place === null || places.has(place)) continue
      places.set(place, operation)
      const other = messageAt.getOrInsert(place, { message: message.id, operation })
      if (other.message !== message.id) {
        add(`${place} holds both ${other.message} and ${message.id}`, [other.operation, operation])
      }
    }
    if (places.size > 1) {
      add(`${message.id} has ${places.size} places: ${[...places.keys()].join(', ')}`, [
        ...message.sends,
        ...places.values(),
      ])
    }
    if (message.stored.length > places.size) add(`${message.id} was read twice from the store`, message.stored)
    const receivedBy = new Map<string, Delivery>()
    for (const delivery of message.deliveries) {
      const first = receivedBy.getOrInsert(delivery.client, delivery)
      if (first !== delivery) add(`${delivery.client} received ${message.id} twice`, [first, delivery])
    }
  }
  return found
}

function placeOf(operation: Stored | Acknowledged | Delivery): string | null {
  const place = operation.kind === 'acknowledged' ? operation.place : operation
  return place === null ? null : `${operation.channel} ${place.epoch}/${place.offset}`
}
