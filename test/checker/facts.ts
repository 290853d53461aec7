import type { Acknowledged, Delivery, Maybe, Operation, Refused, Send, Stored, StoreRead } from './history.ts'

/** What a history says about one message. */
export interface MessageFacts {
  id: string
  sends: Send[]
  acknowledged: Acknowledged[]
  maybes: Maybe[]
  refused: Refused[]
  deliveries: Delivery[]
  stored: Stored[]
}

/** The final read of one channel. */
export interface ChannelFacts {
  name: string
  stored: Stored[]
  /** Null when the channel was never read to its end. */
  read: StoreRead | null
}

/**
 * A stretch in which one client had a position in one channel without a break: from a fresh subscribe, across
 * recoveries, to a failed recovery or the end of the history.
 */
export interface Span {
  client: string
  channel: string
  epoch: string
  /** Position at its start. */
  from: number
  /** The highest offset delivered in it, or `from`. */
  last: number
  deliveries: Delivery[]
  /** The client was subscribed when the history ended. */
  openAtEnd: boolean
}

/** A history, indexed once for all rules. */
export interface Facts {
  operations: Operation[]
  messages: Map<string, MessageFacts>
  channels: Map<string, ChannelFacts>
  spans: Span[]
}

/** Indexes a history. */
export function factsOf(operations: Operation[]): Facts {
  const messages = new Map<string, MessageFacts>()
  const channels = new Map<string, ChannelFacts>()
  for (const operation of operations) {
    if ('message' in operation) {
      const message = messageOf(messages, operation.message)
      if (operation.kind === 'send') message.sends.push(operation)
      else if (operation.kind === 'acknowledged') message.acknowledged.push(operation)
      else if (operation.kind === 'maybe') message.maybes.push(operation)
      else if (operation.kind === 'refused') message.refused.push(operation)
      else if (operation.kind === 'delivery') message.deliveries.push(operation)
      else message.stored.push(operation)
    }
    if (operation.kind === 'stored') channelOf(channels, operation.channel).stored.push(operation)
    else if (operation.kind === 'store-read') channelOf(channels, operation.channel).read = operation
  }
  return { operations, messages, channels, spans: spansOf(operations) }
}

/** The sends whose attempt has no outcome in the history. */
export function unanswered(message: MessageFacts): Send[] {
  const outcomes = [...message.acknowledged, ...message.maybes, ...message.refused]
  return message.sends.filter((send) => !outcomes.some((outcome) => outcome.attempt === send.attempt))
}

function messageOf(messages: Map<string, MessageFacts>, id: string): MessageFacts {
  return messages.getOrInsertComputed(id, () => ({
    id,
    sends: [],
    acknowledged: [],
    maybes: [],
    refused: [],
    deliveries: [],
    stored: [],
  }))
}

function channelOf(channels: Map<string, ChannelFacts>, name: string): ChannelFacts {
  return channels.getOrInsertComputed(name, () => ({ name, stored: [], read: null }))
}

function spansOf(operations: Operation[]): Span[] {
  const spans: Span[] = []
  const current = new Map<string, Map<string, Span>>()
  for (const operation of operations) {
    if (operation.kind === 'subscribed') {
      const { client, channel, epoch, offset, recovery } = operation
      const byChannel = current.getOrInsertComputed(client, () => new Map<string, Span>())
      const before = byChannel.get(channel)
      if (before !== undefined && recovery === 'recovered' && before.epoch === epoch) {
        before.openAtEnd = true
        continue
      }
      if (before !== undefined) before.openAtEnd = false
      const span: Span = { client, channel, epoch, from: offset, last: offset, deliveries: [], openAtEnd: true }
      byChannel.set(channel, span)
      spans.push(span)
    } else if (operation.kind === 'delivery') {
      const span = current.get(operation.client)?.get(operation.channel)
      if (span === undefined) continue
      span.deliveries.push(operation)
      span.last = Math.max(span.last, operation.offset)
    } else if (operation.kind === 'unsubscribed' || operation.kind === 'left') {
      const span = current.get(operation.client)?.get(operation.channel)
      if (span !== undefined) span.openAtEnd = false
    } else if (operation.kind === 'closed') {
      for (const span of current.get(operation.client)?.values() ?? []) span.openAtEnd = false
    }
  }
  return spans
}
