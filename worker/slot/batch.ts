import { hash } from 'node:crypto'
import type { LogRecord } from '../../log/log.ts'
import { decodeCommand } from '../../protocol/records/command.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { FormatError } from '../../protocol/records/envelope.ts'
import { encodeParts } from '../../protocol/records/event-part.ts'
import type { SlotEvent, Top } from '../../protocol/records/event.ts'
import { publicationJson } from '../../protocol/client/publication.ts'
import { jsonBytes, topsAnswerBytesMax } from '../../protocol/records/sizes.ts'
import type { Commit, DeadLetter, Lease, Message, MessageQuery, OutboxRow } from '../../store/store.ts'
import type { Effect, Read } from '../app/app.ts'
import type { Channel, SlotMemory } from './state.ts'

/** A record of the batch and what it is: a command to handle, or why it is none. */
export interface BatchItem {
  offset: number
  value: Buffer
  command: CommandRecord | null
  dropped: 'duplicate' | 'tombstone' | 'format' | null
}

/** Methods of the runtime; every other one goes to the app. */
const runtimeMethods = new Set(['subscribe', 'close', 'tops', 'gone'])

export function isAppCommand(item: BatchItem): item is BatchItem & { command: CommandRecord } {
  return item.command !== null && item.dropped === null && !runtimeMethods.has(item.command.method)
}

/** Decodes records and drops those that were handled before, or come from an instance that is gone. Pure. */
export function readBatch(memory: SlotMemory, records: LogRecord[]): BatchItem[] {
  const last = new Map<string, number>()
  const gone = new Set<string>()
  return records.map(({ offset, value }) => {
    let command: CommandRecord
    try {
      command = decodeCommand(value)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      return { offset, value, command: null, dropped: 'format' }
    }
    const isGone = memory.tombstones.has(command.instance) || gone.has(command.instance)
    if (isGone) return { offset, value, command, dropped: 'tombstone' }
    const known = last.get(command.producer) ?? memory.producers.get(command.producer) ?? 0
    if (command.n <= known) return { offset, value, command, dropped: 'duplicate' }
    last.set(command.producer, command.n)
    if (command.method === 'gone') gone.add(command.payload.toString())
    return { offset, value, command, dropped: null }
  })
}

/** Channels that the batch needs. */
export function channelsOf(items: BatchItem[]): Set<string> {
  const names = new Set<string>()
  for (const { command, dropped } of items) {
    if (!command || dropped) continue
    if (command.method === 'tops') for (const name of topsAsked(command)) names.add(name)
    else if (command.channel !== '') names.add(command.channel)
  }
  return names
}

function topsAsked(command: CommandRecord): string[] {
  return JSON.parse(command.payload.toString()) as string[]
}

/**
 * A channel that is not there. Its epoch derives from its name and where its slot comes from: it may go and come back
 * while it has no message, at any place of the log, and is the same stream however batches are cut when they are replayed.
 */
export function newChannel(name: string, { origin }: Pick<Lease, 'origin'>): Channel {
  return { name, epoch: hash('sha256', `${origin}/${name}`).slice(0, 8), top: 0, lastTime: 0, interest: new Set() }
}

/** Somebody has it, or it has messages. What is neither leaves no trace. */
function isPresent({ top, interest }: Channel): boolean {
  return top > 0 || interest.size > 0
}

export interface AnsweredRead {
  read: Read
  query: MessageQuery | null
  n: number
  instance: string
}

/** All that a batch comes to; nothing of it has happened yet. */
export interface BatchPlan {
  commit: Commit
  /** Channels as they are once the commit is through. */
  channels: Map<string, Channel>
  /** Channels that were needed and are none: nobody has them, and they never had a message. */
  absent: string[]
  reads: AnsweredRead[]
  gone: string[]
}

export interface PlanInput {
  memory: SlotMemory
  worker: string
  version: string
  items: BatchItem[]
  /** Every channel that the batch needs and that exists, or was made by newChannel. */
  channels: Map<string, Channel>
  /** Per app command, in order. */
  effects: Effect[][]
  /** Offsets of commands that made the app fail, and why. */
  poisoned: Map<number, string>
}

/** Turns a batch and the app's effects into one commit. Pure. */
export function planBatch(input: PlanInput): BatchPlan {
  return new Planner(input).plan()
}

class Planner {
  readonly #input: PlanInput
  readonly #channels: Map<string, Channel>
  /** Channels whose rows are written. */
  readonly #changed = new Set<string>()
  /** Channels that an instance closed. */
  readonly #left = new Set<string>()
  readonly #messages: Message[] = []
  readonly #added = new Map<string, [string, string]>()
  readonly #removed = new Map<string, [string, string]>()
  readonly #producers = new Map<string, number>()
  readonly #deadLetters: DeadLetter[] = []
  readonly #events: SlotEvent[] = []
  readonly #reads: AnsweredRead[] = []
  readonly #gone: string[] = []
  #offset = 0
  #index = 0

  constructor(input: PlanInput) {
    this.#input = input
    this.#channels = new Map(input.channels)
  }

  plan(): BatchPlan {
    const { items, effects, poisoned } = this.#input
    let app = 0
    for (const item of items) {
      this.#offset = item.offset
      this.#index = 0
      if (item.dropped === 'format')
        this.#deadLetters.push({ offset: item.offset, reason: 'format', record: item.value })
      if (!item.command || item.dropped) continue
      this.#producers.set(item.command.producer, item.command.n)
      const reason = poisoned.get(item.offset)
      if (reason !== undefined) this.#deadLetters.push({ offset: item.offset, reason, record: item.value })
      if (isAppCommand(item)) this.#app(item.command, effects[app++]!)
      else this.#runtime(item.command)
    }
    const [present, absent] = [new Map<string, Channel>(), new Array<string>()]
    for (const [name, channel] of this.#channels) {
      if (isPresent(channel)) present.set(name, channel)
      else absent.push(name)
    }
    return { commit: this.#commit(), channels: present, absent, reads: this.#reads, gone: this.#gone }
  }

  #runtime(command: CommandRecord): void {
    const { instance, channel, n } = command
    switch (command.method) {
      case 'subscribe': {
        const { epoch, top } = this.#interest(channel, instance, true)
        return this.#emit({ kind: 'subscribed', ...this.#at([instance]), n, channel, epoch, top })
      }
      case 'close':
        this.#interest(channel, instance, false)
        return this.#reply(command, null, '{}')
      case 'tops': {
        const tops = topsAsked(command).map((name): Top => {
          const { epoch, top } = this.#channels.get(name) ?? { epoch: '', top: 0 }
          return [name, epoch, top]
        })
        return this.#emit({ kind: 'tops', ...this.#at([instance]), n, tops: topsThatFit(tops) })
      }
      case 'gone':
        this.#gone.push(command.payload.toString())
        return
    }
  }

  #app(command: CommandRecord, effects: Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'publish':
          this.#publish(effect.message)
          break
        case 'reply':
          this.#reply(command, null, effect.body)
          break
        case 'fail':
          this.#reply(command, effect.error, '')
          break
        case 'read':
          this.#read(command, effect.query)
          break
      }
    }
  }

  #publish(message: Message): void {
    const channel = this.#channels.get(message.channel)!
    this.#channels.set(channel.name, { ...channel, top: message.offset, lastTime: message.time })
    this.#changed.add(channel.name)
    this.#messages.push(message)
    if (channel.interest.size === 0) return
    this.#emit({
      kind: 'publication',
      ...this.#at([...channel.interest]),
      channel: channel.name,
      epoch: channel.epoch,
      top: message.offset,
      time: message.time,
      body: Buffer.from(publicationJson(message)),
    })
  }

  #read(command: CommandRecord, query: MessageQuery | null): void {
    const { epoch, top, lastTime } = this.#channels.get(command.channel)!
    this.#reads.push({
      read: { command, stream: { epoch, top, lastTime } },
      query,
      n: command.n,
      instance: command.instance,
    })
  }

  #interest(name: string, instance: string, wants: boolean): Channel {
    const channel = this.#channels.get(name)!
    if (channel.interest.has(instance) === wants) return channel
    const interest = new Set(channel.interest)
    const key = JSON.stringify([name, instance])
    // Without a message only those who have it keep a channel, and its row: it is there from the first one on.
    if (wants && channel.top === 0) this.#changed.add(name)
    if (!wants) this.#left.add(name)
    if (wants) {
      interest.add(instance)
      if (!this.#removed.delete(key)) this.#added.set(key, [name, instance])
    } else {
      interest.delete(instance)
      if (!this.#added.delete(key)) this.#removed.set(key, [name, instance])
    }
    const changed = { ...channel, interest }
    this.#channels.set(name, changed)
    return changed
  }

  #reply(command: CommandRecord, error: { code: number; message: string } | null, body: string): void {
    this.#emit({ kind: 'reply', ...this.#at([command.instance]), n: command.n, error, body: Buffer.from(body) })
  }

  #at(to: string[]): { offset: number; index: number; to: string[] } {
    return { offset: this.#offset, index: this.#index++, to }
  }

  #emit(event: SlotEvent): void {
    this.#events.push(event)
  }

  #commit(): Commit {
    const { memory, items } = this.#input
    const lastItem = items.at(-1)!
    const next = lastItem.offset + 1
    return {
      slot: memory.lease.slot,
      token: memory.token,
      expected: memory.nextOffset,
      next,
      fingerprint: fingerprintOf(lastItem.value),
      channels: [...this.#changed].flatMap((name) => {
        const channel = this.#channels.get(name)!
        const { epoch, top, lastTime } = channel
        return isPresent(channel) ? [{ name, epoch, top, lastTime }] : []
      }),
      channelsRemoved: [...this.#left].filter((name) => !isPresent(this.#channels.get(name)!)),
      messages: this.#messages,
      interestAdded: [...this.#added.values()],
      interestRemoved: [...this.#removed.values()],
      producers: [...this.#producers],
      gone: this.#gone,
      outbox: this.#outbox(next),
      outboxDone: [],
      outboxNarrowed: [],
      deadLetters: this.#deadLetters,
    }
  }

  /** The events, in parts that each fit one record. */
  #outbox(batchEnd: number): OutboxRow[] {
    const { memory, worker, version } = this.#input
    const { slot, incarnation } = memory.lease
    return encodeParts({ slot, incarnation, worker, version }, this.#events).map(({ to, value }, part) => ({
      batchEnd,
      part,
      inboxes: to,
      body: value,
    }))
  }
}

/** Bytes of the tops in one event: well below a record. A proxy asks for no more, one of an older version might. */
const topsBytesMax = 2 * topsAnswerBytesMax

/** What is left out the proxy compares the next time, or not at all. */
function topsThatFit(tops: Top[]): Top[] {
  let bytes = 0
  const end = tops.findIndex((top) => (bytes += jsonBytes(top) + 1) > topsBytesMax)
  return end === -1 ? tops : tops.slice(0, end)
}

export function fingerprintOf(value: Buffer): string {
  return hash('sha256', value, 'hex').slice(0, 16)
}
