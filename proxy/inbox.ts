import type { Env } from '../cluster/env.ts'
import { follow } from '../cluster/follow.ts'
import type { LogReader, LogRecord } from '../log/log.ts'
import { FormatError } from '../protocol/records/errors.ts'
import type { EventBatch } from '../protocol/records/event-batch.ts'
import { decodeInbox } from '../protocol/records/inbox.ts'
import type { InboxRecord } from '../protocol/records/inbox.ts'
import { isAfter } from '../protocol/records/position.ts'
import type { Position } from '../protocol/records/position.ts'
import { inboxTopic } from '../protocol/records/topics.ts'
import type { SlotId } from '../protocol/slot.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Uplink } from './uplink/uplink.ts'

/** Whose inbox it is, where it is read, and who is told what is in it. */
export interface InboxOptions {
  instance: string
  partition: number
  uplink: Uplink
  dispatcher: Dispatcher
  /** This instance was declared dead. */
  retired: () => void
}

/**
 * What workers tell this instance: every event is taken once and in the order of its slot, however often and by
 * whomever it is emitted.
 */
export class Inbox {
  readonly #env: Env
  readonly #options: InboxOptions
  readonly #positions = new Map<SlotId, Position>()
  #reader: LogReader | null = null
  /** Next offset to read. */
  offset = 0

  constructor(env: Env, options: InboxOptions) {
    this.#env = env
    this.#options = options
  }

  /** Reads from offset `from` until stopped; rejects when the log no longer holds what comes next. */
  async run(from: number): Promise<void> {
    this.offset = from
    this.#reader = this.#env.log.read(inboxTopic, this.#options.partition, from)
    await follow(this.#reader, (records) => {
      for (const record of records) this.#take(record)
      this.offset = records.at(-1)!.offset + 1
    })
  }

  stop(): void {
    this.#reader?.close()
  }

  #take(record: LogRecord): void {
    try {
      const message = decodeInbox(record.value, this.#options.instance)
      if (message) this.#handle(message)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      // What it held is missed by the positions of its channels, and they recover.
      this.#env.metrics.eventsDropped.inc({ reason: 'format' })
      this.#env.logger.error({ err: error, offset: record.offset }, 'unreadable record in the inbox')
    }
  }

  #handle(message: InboxRecord): void {
    const { dispatcher, uplink, retired } = this.#options
    switch (message.type) {
      case 'events':
        return this.#events(message)
      case 'answer':
        return uplink.answerRead(message)
      case 'resync':
        return dispatcher.resync(message.slot)
      case 'retired':
        return retired()
    }
  }

  #events({ slot, incarnation, version, events }: EventBatch): void {
    for (const event of events) {
      const position = { incarnation, offset: event.offset, index: event.index }
      if (!isAfter(position, this.#positions.get(slot))) {
        this.#env.metrics.eventsDropped.inc({ reason: 'duplicate' })
        continue
      }
      this.#positions.set(slot, position)
      this.#options.dispatcher.dispatch(slot, event, version)
    }
  }
}
