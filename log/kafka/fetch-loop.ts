import { setTimeout as sleep } from 'node:timers/promises'
import type { Brokers } from './brokers.ts'
import type { KafkaReader } from './reader.ts'
import { kafkaCodes } from './wire/codes.ts'
import { fetchAnswer, fetchRequest, type FetchAnswer, type FetchSession } from './wire/fetch.ts'

/** How long a broker keeps a fetch that has nothing to answer. A reader that begins meanwhile does not wait for it. */
export const fetchWaitMs = 100

/** The same for readers that begin while a fetch is under way: they are looked for beside it, until the next takes them on. */
export const newcomersWaitMs = 10

/** Bytes that one fetch brings, and those of one partition. */
export const fetchBytesMax = { all: 16 * 1024 * 1024, partition: 1024 * 1024 }

/** Pause after a broker that did not answer. */
export const fetchRetryMs = 100

interface Place {
  topicId: string
  partition: number
  offset: number
}

/** Who takes readers over that a loop cannot serve. */
export interface FetchEvents {
  /** A partition answered with an error: its readers are no longer part of the loop. */
  refused: (readers: KafkaReader[], code: number) => void
  /** The broker did not answer: no reader is part of the loop any more. */
  lost: (readers: KafkaReader[], error: unknown) => void
}

const placeKey = (topicId: string, partition: number) => `${topicId}/${partition}`

/**
 * Fetches for all readers whose partitions one broker leads: one request at a time. It is a fetch session (KIP-227):
 * the broker remembers what is read from where, a request names only what has changed, an answer only what has records.
 */
export class FetchLoop {
  readonly node: number
  readonly #brokers: Brokers
  readonly #events: FetchEvents
  readonly #readers = new Map<string, Set<KafkaReader>>()
  /** What the broker remembers. */
  #session = { id: 0, epoch: 0, places: new Map<string, Place>() }
  #wake: (() => void) | null = null
  /** What the fetch under way looks for. */
  #polling: Map<string, Place> | null = null
  /** Readers that it does not look for. */
  readonly #newcomers = new Set<KafkaReader>()
  #isClosed = false

  constructor(node: number, brokers: Brokers, events: FetchEvents) {
    this.node = node
    this.#brokers = brokers
    this.#events = events
    void this.#run()
  }

  /** The broker leads its partition. */
  add(reader: KafkaReader): void {
    const key = placeKey(reader.topicId!, reader.partition)
    this.#readers.getOrInsertComputed(key, () => new Set()).add(reader)
    this.wake()
    if (!this.#isNewcomer(reader)) return
    this.#newcomers.add(reader)
    if (this.#newcomers.size === 1) void this.#fetchNewcomers()
  }

  remove(reader: KafkaReader): void {
    const key = placeKey(reader.topicId!, reader.partition)
    const readers = this.#readers.get(key)
    if (readers?.delete(reader) && readers.size === 0) this.#readers.delete(key)
  }

  /** Some reader has room again. */
  wake(): void {
    this.#wake?.()
  }

  close(): void {
    this.#isClosed = true
    this.wake()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const places = this.#wanted()
      if (places.size === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = null
        continue
      }
      try {
        this.#polling = places
        this.#take(await this.#fetch(places), places)
      } catch (error) {
        this.#session = { id: 0, epoch: 0, places: new Map() }
        const readers = [...this.#readers.values()].flatMap((each) => [...each])
        this.#readers.clear()
        if (!this.#isClosed) await sleep(fetchRetryMs)
        this.#events.lost(readers, error)
      } finally {
        this.#polling = null
      }
    }
  }

  #wanted(): Map<string, Place> {
    const places = new Map<string, Place>()
    for (const [key, readers] of this.#readers) {
      for (const reader of readers) if (reader.hasRoom) addPlace(places, key, reader)
    }
    return places
  }

  async #fetch(places: Map<string, Place>): Promise<FetchAnswer> {
    const session = this.#session
    const changed = [...places].filter(([key, { offset }]) => session.places.get(key)?.offset !== offset)
    const forgotten = [...session.places].filter(([key]) => !places.has(key))
    const answer = await this.#brokers.send(this.node, 'read', {
      request: requestFor(
        changed.map(([, place]) => place),
        fetchWaitMs,
        {
          sessionId: session.id,
          sessionEpoch: session.epoch,
          forgotten: forgotten.map(([, place]) => place),
        },
      ),
      decode: fetchAnswer.decode,
    })
    session.places = answer.sessionId === 0 ? new Map() : places
    session.epoch = answer.sessionId === 0 ? 0 : session.epoch + 1
    session.id = answer.sessionId
    return answer
  }

  /** Beside the fetch under way, for it may wait long for those that it knows. */
  async #fetchNewcomers(): Promise<void> {
    while (this.#newcomers.size > 0) {
      const places = this.#newPlaces()
      if (places.size === 0) return
      try {
        const sessionless = { sessionId: 0, sessionEpoch: -1, forgotten: [] }
        const answer = await this.#brokers.send(this.node, 'first_read', {
          request: requestFor([...places.values()], newcomersWaitMs, sessionless),
          decode: fetchAnswer.decode,
        })
        this.#take(answer, places)
      } catch {
        // The loop meets the same error, and answers for it.
        return this.#newcomers.clear()
      }
    }
  }

  #newPlaces(): Map<string, Place> {
    const places = new Map<string, Place>()
    for (const reader of this.#newcomers) {
      if (this.#isNewcomer(reader)) addPlace(places, placeKey(reader.topicId!, reader.partition), reader)
      else this.#newcomers.delete(reader)
    }
    return places
  }

  /** False once a fetch looks for the reader, or nobody is to. */
  #isNewcomer(reader: KafkaReader): boolean {
    const key = placeKey(reader.topicId!, reader.partition)
    if (this.#polling === null || !reader.hasRoom || !this.#readers.get(key)?.has(reader)) return false
    const polled = this.#polling.get(key)
    return polled === undefined || polled.offset > reader.fetchFrom
  }

  #take({ errorCode, partitions }: FetchAnswer, places: Map<string, Place>): void {
    if (errorCode !== kafkaCodes.none) {
      // The broker has forgotten the session: the next fetch begins another one.
      this.#session = { id: 0, epoch: 0, places: new Map() }
      return
    }
    for (const { topicId, partition, errorCode: code, read } of partitions) {
      const key = placeKey(topicId, partition)
      const readers = this.#readers.get(key)
      const place = places.get(key)
      if (!readers || !place) continue
      if (code === kafkaCodes.none) {
        const run = read(place.offset)
        for (const reader of readers) {
          this.#brokers.accepted(reader.topic)
          reader.take(run, place.offset)
        }
      } else {
        this.#readers.delete(key)
        this.#events.refused([...readers], code)
      }
    }
  }
}

/** From where each partition is read: readers of the same one share what the slowest needs. */
function addPlace(places: Map<string, Place>, key: string, { topicId, partition, fetchFrom }: KafkaReader): void {
  const offset = Math.min(places.get(key)?.offset ?? fetchFrom, fetchFrom)
  places.set(key, { topicId: topicId!, partition, offset })
}

function requestFor(places: Place[], maxWaitMs: number, session: FetchSession): object {
  return fetchRequest(places, { maxWaitMs, bytes: fetchBytesMax.all, partitionBytes: fetchBytesMax.partition }, session)
}
