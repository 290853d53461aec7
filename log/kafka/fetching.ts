import { setTimeout as sleep } from 'node:timers/promises'
import { LogError } from '../errors.ts'
import { checkPlace } from '../rules.ts'
import type { Brokers } from './brokers.ts'
import type { KafkaEvents } from './events.ts'
import { FetchLoop } from './fetch-loop.ts'
import type { Offsets } from './offsets.ts'
import { KafkaReader } from './reader.ts'
import { kafkaCodes } from './wire/codes.ts'

/** Pauses before a reader looks for its partition's leader again. */
export const leaderRetryMs = { first: 20, max: 500 }

/** All readers of a process: each belongs to the loop of the broker that leads its partition, and finds it again. */
export class Fetching {
  readonly #brokers: Brokers
  readonly #offsets: Offsets
  readonly #loops = new Map<number, FetchLoop>()
  readonly #readers = new Map<KafkaReader, FetchLoop | null>()
  readonly #events: KafkaEvents
  #heldBytes = 0
  #isClosed = false

  constructor(brokers: Brokers, offsets: Offsets, events: KafkaEvents) {
    this.#brokers = brokers
    this.#offsets = offsets
    this.#events = events
  }

  /** A reader that finds its broker by itself, again whenever that changes. */
  read(topic: string, partition: number, from: number): KafkaReader {
    const reader = new KafkaReader(
      { topic, partition, from },
      {
        roomAgain: (each) => this.#readers.get(each)?.wake(),
        ended: (each) => {
          this.#readers.get(each)?.remove(each)
          this.#readers.delete(each)
        },
        held: (change) => {
          this.#heldBytes += change
          this.#events.buffered(this.#heldBytes)
        },
      },
    )
    this.#readers.set(reader, null)
    void this.#place(reader)
    return reader
  }

  close(): void {
    this.#isClosed = true
    for (const reader of this.#readers.keys()) reader.close()
    for (const loop of this.#loops.values()) loop.close()
  }

  /** Gives a reader to the loop of its leader, however long that takes to be found. */
  async #place(reader: KafkaReader): Promise<void> {
    let pauseMs = leaderRetryMs.first
    while (!reader.isOver && !this.#isClosed) {
      try {
        const node = await this.#brokers.leader(reader.topic, reader.partition)
        if (reader.isOver) return
        const id = this.#brokers.topicId(reader.topic)
        reader.topicId ??= id
        if (reader.topicId !== id)
          return reader.fail(new LogError('out_of_range', `topic ${reader.topic} was deleted and made again`))
        const loop = this.#loops.getOrInsertComputed(node, () => this.#loop(node))
        this.#readers.set(reader, loop)
        return loop.add(reader)
      } catch (error) {
        const isUnknown = error instanceof LogError && error.code === 'unknown_topic'
        // One that was there before may be made again; what is read from it then is checked.
        if (isUnknown && reader.isNew) return reader.fail(error)
      }
      await sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, leaderRetryMs.max)
    }
  }

  #loop(node: number): FetchLoop {
    return new FetchLoop(node, this.#brokers, {
      refused: (readers, code) => {
        for (const reader of readers) {
          this.#readers.set(reader, null)
          void this.#again(reader, code)
        }
      },
      lost: (readers) => {
        for (const reader of readers) {
          this.#readers.set(reader, null)
          reader.interrupted()
          void this.#place(reader)
        }
      },
    })
  }

  async #again(reader: KafkaReader, code: number): Promise<void> {
    if (code === kafkaCodes.offsetOutOfRange) await this.#checkRange(reader)
    else {
      this.#brokers.refused('read', reader.topic, reader.partition, code)
      reader.interrupted()
    }
    await sleep(leaderRetryMs.first)
    await this.#place(reader)
  }

  /** The place that was fetched from is not in the log: the reader's own place may still be. */
  async #checkRange(reader: KafkaReader): Promise<void> {
    try {
      const range = await this.#offsets.range(reader.topic, reader.partition)
      checkPlace(reader.topic, reader.partition, reader.offset, range)
      // Only the record before it was removed.
      if (reader.fetchFrom < range.oldest) reader.skipRecognition()
    } catch (error) {
      // When the log is away it is asked again.
      if (error instanceof LogError && error.code === 'out_of_range') reader.fail(error)
    }
  }
}
