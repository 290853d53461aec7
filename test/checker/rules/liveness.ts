import { unanswered, type Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'
import type { Operation, Send } from '../history.ts'

/** Within what a send is answered once all faults are over. */
export interface AnswerBound {
  answerMs: number
}

/**
 * After the last fault every send gets a clear answer within a bound. Before it, every send ends somehow. At the end
 * every client is connected and subscribed to all it ever subscribed to.
 */
export function liveness(facts: Facts, bound: AnswerBound): Finding[] {
  const { found, add } = findingsOf('liveness')
  const healedAt = facts.operations.findLast((operation) => operation.kind === 'healed')?.at ?? Infinity
  for (const message of facts.messages.values()) {
    for (const send of unanswered(message)) add(`${message.id} was sent and never answered`, [send])
    const clear = [...message.acknowledged, ...message.refused]
    for (const send of message.sends) {
      if (send.at < healedAt) continue
      const answer = clear.find((outcome) => outcome.attempt === send.attempt)
      if (answer === undefined) {
        add(`${message.id}, sent after all faults, got no clear answer`, [send, ...maybesOf(message.maybes, send)])
      } else if (answer.at - send.at > bound.answerMs) {
        const tookMs = Math.round(answer.at - send.at)
        add(`${message.id}, sent after all faults, was answered after ${tookMs} ms`, [send, answer])
      }
    }
  }
  for (const { what, operation } of absent(facts.operations)) add(what, [operation])
  return found
}

function maybesOf<T extends { attempt: number }>(maybes: T[], send: Send): T[] {
  return maybes.filter((maybe) => maybe.attempt === send.attempt)
}

/** Clients that are closed, and channels that are unsubscribed, when the history ends. */
function absent(operations: Operation[]): { what: string; operation: Operation }[] {
  const clients = new Map<string, Operation>()
  const channels = new Map<string, Map<string, Operation>>()
  for (const operation of operations) {
    if (operation.kind === 'opened') clients.delete(operation.client)
    else if (operation.kind === 'closed') {
      clients.set(operation.client, operation)
      const byChannel = channels.get(operation.client)
      for (const channel of byChannel?.keys() ?? []) byChannel?.set(channel, operation)
    } else if (operation.kind === 'subscribed' || operation.kind === 'unsubscribed') {
      const byChannel = channels.getOrInsertComputed(operation.client, () => new Map<string, Operation>())
      byChannel.set(operation.channel, operation)
    } else if (operation.kind === 'left') channels.get(operation.client)?.delete(operation.channel)
  }
  const gone = [...clients].map(([client, operation]) => ({ what: `${client} is not connected at the end`, operation }))
  for (const [client, byChannel] of channels) {
    if (clients.has(client)) continue
    for (const [channel, operation] of byChannel) {
      if (operation.kind === 'subscribed') continue
      gone.push({ what: `${client} is not subscribed to ${channel} at the end`, operation })
    }
  }
  return gone
}
