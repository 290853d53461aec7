import { hash } from 'node:crypto'
import type { AppMessage, Effect, Stream } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { goOn } from '../../protocol/app/fold.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import { publicationJson } from '../../protocol/client/publication.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { encodeParts } from '../../protocol/records/event-batch.ts'
import type { SlotEvent, Top } from '../../protocol/records/event.ts'
import { encodeNotice } from '../../protocol/records/notice.ts'
import type { RecoverRange, RuntimeRequest } from '../../protocol/records/runtime.ts'
import { answerBytesMax, jsonBytes, topsAnswerBytesMax } from '../../protocol/records/sizes.ts'
import type { TraceContext } from '../../protocol/trace.ts'
import type { Commit, DeadLetter, Lease, Message, MessageQuery, OutboxRow } from '../../store/store.ts'
import type { CommittedRead } from '../emit/reads.ts'
import { recoverQuery } from '../emit/recover.ts'
import { fingerprintOf } from './batch.ts'
import type { BatchCommand, BatchItem } from './batch.ts'
import { appCommand } from './handle.ts'
import type { Outcome } from './handle.ts'
import type { Channel, SlotMemory } from './memory.ts'
import type { OutboxChanges } from './outbox.ts'

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

/** All that a batch comes to; nothing of it has happened yet. */
export interface BatchPlan {
  commit: Commit
  /** Channels as they are once the commit is through. */
  channels: Map<string, Channel>
  /** Channels that were needed and are none: nobody has them, and they never had a message. */
  absent: string[]
  reads: CommittedRead[]
  gone: string[]
}

/** All that a plan depends on: the same input makes the same plan. */
export interface PlanInput {
  memory: SlotMemory
  worker: string
  version: string
  items: BatchItem[]
  /** Every channel that the batch needs and that exists, or was made by newChannel. */
  channels: Map<string, Channel>
  /** What came of each command of the app, by its offset. */
  outcomes: ReadonlyMap<number, Outcome>
  /** What the outbox needs beside the events of the batch. */
  outbox: OutboxChanges
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
  readonly #reads: CommittedRead[] = []
  readonly #gone: string[] = []
  #offset = 0
  #index = 0
  #trace: TraceContext | undefined

  constructor(input: PlanInput) {
    this.#input = input
    this.#channels = new Map(input.channels)
  }

  plan(): BatchPlan {
    for (const item of this.#input.items) {
      this.#offset = item.offset
      this.#index = 0
      if (item.dropped === null) this.#handle(item)
      else if (item.dropped === 'format') this.#setAside(item, 'format')
    }
    const [present, absent] = [new Map<string, Channel>(), new Array<string>()]
    for (const [name, channel] of this.#channels) {
      if (isPresent(channel)) present.set(name, channel)
      else absent.push(name)
    }
    return { commit: this.#commit(), channels: present, absent, reads: this.#reads, gone: this.#gone }
  }

  #handle(item: BatchCommand): void {
    const { command, request } = item
    this.#trace = command.trace
    this.#producers.set(command.producer, command.n)
    if (request !== null) return this.#runtime(command, request)
    const { effects, failure } = this.#input.outcomes.get(item.offset)!
    if (failure !== null) this.#setAside(item, failure)
    for (const effect of effects) this.#apply(command, effect)
  }

  #setAside({ offset, value }: BatchItem, reason: string): void {
    this.#deadLetters.push({ offset, reason, record: value })
  }

  #runtime(command: CommandRecord, request: RuntimeRequest): void {
    const { instance, channel, n } = command
    switch (request.method) {
      case 'subscribe': {
        const { epoch, top } = this.#interest(channel, instance, true)
        return this.#emit({ kind: 'subscribed', ...this.#at([instance]), n, channel, epoch, top })
      }
      case 'close':
        this.#interest(channel, instance, false)
        return this.#reply(command, null, '{}')
      case 'tops': {
        const tops = request.channels.map((name): Top => {
          const { epoch, top } = this.#channels.get(name) ?? { epoch: '', top: 0 }
          return [name, epoch, top]
        })
        return this.#emit({ kind: 'tops', ...this.#at([instance]), n, tops: topsThatFit(tops) })
      }
      case 'recover':
        return this.#recover(command, request.range)
      case 'gone':
        this.#gone.push(request.instance)
        return
    }
  }

  #apply(command: CommandRecord, effect: Effect): void {
    switch (effect.type) {
      case 'publish':
        return this.#publish(effect.message)
      case 'reply':
        return this.#reply(command, null, effect.body)
      case 'fail':
        return this.#reply(command, effect.error, '')
      case 'read': {
        const { channel } = command
        const query = effect.query && { ...effect.query, channel, bytesMax: answerBytesMax }
        const read = { command: appCommand(command), stream: this.#stream(channel) }
        return this.#read(command, query, { by: 'app', read })
      }
    }
  }

  #publish(message: AppMessage): void {
    const channel = this.#channels.get(message.channel)!
    this.#channels.set(channel.name, { ...channel, ...goOn(channel, message) })
    this.#changed.add(channel.name)
    this.#messages.push({ kind: 'message', ...message })
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

  #recover(command: CommandRecord, range: RecoverRange): void {
    try {
      const query = recoverQuery(command, this.#stream(command.channel), range)
      this.#read(command, query, { by: 'runtime', range })
    } catch (error) {
      if (!(error instanceof CommandRefused)) throw error
      this.#reply(command, error.error, '')
    }
  }

  #read(
    { n, instance, session, takesParts, trace }: CommandRecord,
    query: MessageQuery | null,
    asked: CommittedRead['asked'],
  ): void {
    this.#reads.push({ n, instance, session, takesParts, query, asked, trace })
  }

  #stream(name: string): Stream {
    const { epoch, top, lastTime } = this.#channels.get(name)!
    return { epoch, top, lastTime }
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

  #reply(command: CommandRecord, error: CommandError | null, body: string): void {
    this.#emit({ kind: 'reply', ...this.#at([command.instance]), n: command.n, error, body: Buffer.from(body) })
  }

  #at(to: string[]): Pick<SlotEvent, 'offset' | 'index' | 'to' | 'trace'> {
    return { offset: this.#offset, index: this.#index++, to, trace: this.#trace }
  }

  #emit(event: SlotEvent): void {
    this.#events.push(event)
  }

  #commit(): Commit {
    const { memory, items, outbox } = this.#input
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
      outboxDone: outbox.done,
      outboxNarrowed: outbox.narrowed,
      deadLetters: this.#deadLetters,
    }
  }

  /** The events, in parts that each fit one record; who has missed older ones is told so before them. */
  #outbox(batchEnd: number): OutboxRow[] {
    const { memory, worker, version, outbox } = this.#input
    const { slot, incarnation } = memory.lease
    const parts = encodeParts({ slot, incarnation, worker, version }, this.#events)
    const { resync } = outbox
    if (resync.length > 0) parts.unshift({ to: resync, value: encodeNotice({ type: 'resync', slot, to: resync }) })
    return parts.map(({ to, value }, part) => ({ batchEnd, part, inboxes: to, body: value }))
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
