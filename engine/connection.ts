import { randomUUID } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { LogError, type LogErrorCode } from '../log/errors.ts'
import type { LogReader } from '../log/log.ts'
import { Outages, untold, type Hindrance, type OutageEvents } from '../platform/outages.ts'
import { StoreError, type StoreErrorCode } from '../store/errors.ts'
import { FollowingReader } from './following-reader.ts'
import { FrameDecoder, encodeFrames } from './frames.ts'
import type { ClientMessage, ServerMessage, Side } from './messages.ts'
import { placeFile, readPlace } from './place.ts'

/** Back-off between two tries to reach the engine; it never gives up before close(). */
export const reconnectMs = { first: 20, max: 500 }

/** How long a request waits for a connection. */
export const connectWaitMs = 2_000

/** A connection on which a request stays unanswered for this long is given up. */
export const answerTimeoutMs = 10_000

/** Bytes that are taken from the socket at a time. */
const readBytes = 64 * 1024

interface Pending {
  message: ClientMessage & { 0: 'request' }
  side: Side
  resolve(answer: unknown): void
  reject(error: Error): void
  /** Monotonic time at which it was handed to the socket. */
  sentAt: number
  /** Runs while there is no connection to send it on. */
  patience: NodeJS.Timeout | null
}

/**
 * A process's connection to the engine of a data directory. It connects again by itself; readers then go on where
 * they were. A request that was under way when the connection broke rejects with `unavailable`, since its outcome is
 * unknown.
 */
export class EngineConnection {
  readonly dataDir: string
  readonly #outages: Outages
  readonly #name: string
  #client = randomUUID()
  #socket: Socket | null = null
  #output: ClientMessage[] = []
  #flushing = false
  #lastId = 0
  /** By id, oldest first. */
  #pending = new Map<number, Pending>()
  #readers = new Map<number, FollowingReader>()
  #retryMs = reconnectMs.first
  #retry: NodeJS.Timeout | null = null
  #watchdog: NodeJS.Timeout | null = null
  #closed = false

  /** `events` are told when the engine is away, and when it answers again. */
  constructor(dataDir: string, events: OutageEvents = untold) {
    this.dataDir = dataDir
    this.#outages = new Outages(events)
    this.#name = `engine of ${dataDir}`
    void this.#connect()
  }

  /**
   * Resolves with the answer. Rejects with the seam's error: `unavailable` when the connection was lost meanwhile, or
   * there was none for `connectWaitMs`.
   */
  request(side: Side, name: string, values: unknown[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(failure(side, 'the connection to the engine is closed'))
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      const message: Pending['message'] = ['request', id, side, name, values]
      const pending: Pending = { message, side, resolve, reject, sentAt: 0, patience: null }
      this.#pending.set(id, pending)
      if (this.#socket !== null) return this.#sendRequest(pending)
      pending.patience = setTimeout(() => {
        this.#pending.delete(id)
        reject(failure(side, `no engine answers for ${this.dataDir}`))
      }, connectWaitMs)
    })
  }

  /** `closed` is called when the reader is closed. */
  follow(topic: string, partition: number, from: number, closed: () => void): LogReader {
    if (this.#closed) throw new LogError('closed', 'the connection to the engine is closed')
    this.#lastId += 1
    const id = this.#lastId
    const reader = new FollowingReader({
      topic,
      partition,
      from,
      credit: (bytes) => this.#send(['credit', id, bytes]),
      closed: () => {
        if (this.#readers.delete(id)) this.#send(['unfollow', id])
        closed()
      },
    })
    this.#readers.set(id, reader)
    this.#sendFollow(id, reader)
    return reader
  }

  /** What is under way is rejected, and readers end with `closed`. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#retry !== null) clearTimeout(this.#retry)
    for (const reader of this.#readers.values()) reader.close()
    for (const pending of this.#pending.values()) {
      if (pending.patience !== null) clearTimeout(pending.patience)
      pending.reject(failure(pending.side, 'the connection to the engine was closed'))
    }
    this.#pending.clear()
    this.#socket?.destroy()
    this.#drop()
  }

  async #connect(): Promise<void> {
    this.#retry = null
    const place = await readPlace(this.dataDir).catch((error: Error) => error)
    if (this.#closed) return
    if (place === null || place instanceof Error) {
      this.#away(place ?? new Error(`there is no ${placeFile(this.dataDir)}, which a running engine keeps`))
      return this.#connectLater()
    }
    const decoder = new FrameDecoder<ServerMessage>()
    const take = (bytes: number, room: Uint8Array): boolean => {
      try {
        // What the messages hold are views, and the room is used again.
        for (const frame of decoder.push(Buffer.from(room.subarray(0, bytes))))
          for (const message of frame) this.#take(message)
      } catch (error) {
        socket.destroy(error as Error)
      }
      return true
    }
    // Without the machinery of a stream, and without room of its own for each time that something comes.
    const onread = { buffer: Buffer.allocUnsafeSlow(readBytes), callback: take }
    const socket: Socket = createConnection({ path: place.socket, onread })
    socket.on('connect', () => {
      if (this.#closed) socket.destroy()
      else this.#connected(socket)
    })
    // 'close' follows, and with it a new try.
    socket.on('error', (error) => this.#away(error))
    socket.on('close', () => {
      if (this.#socket === socket) this.#drop()
      if (!this.#closed) this.#connectLater()
    })
  }

  #away(error: Error): void {
    if (!this.#closed) this.#outages.lost(this.#name, error)
  }

  #connectLater(): void {
    this.#retry = setTimeout(() => void this.#connect(), this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, reconnectMs.max)
  }

  #connected(socket: Socket): void {
    this.#socket = socket
    this.#retryMs = reconnectMs.first
    this.#send(['hello', this.#client])
    for (const [id, reader] of this.#readers) this.#sendFollow(id, reader)
    for (const pending of this.#pending.values()) {
      if (pending.patience !== null) clearTimeout(pending.patience)
      pending.patience = null
      this.#sendRequest(pending)
    }
  }

  /** The connection is gone, and with it what was under way. */
  #drop(): void {
    this.#socket = null
    this.#output = []
    if (this.#watchdog !== null) clearTimeout(this.#watchdog)
    this.#watchdog = null
    for (const [id, pending] of this.#pending) {
      if (pending.patience !== null) continue
      this.#pending.delete(id)
      pending.reject(failure(pending.side, 'the connection to the engine broke'))
    }
  }

  #take(message: ServerMessage): void {
    // A connection is not enough: the system makes one to a process that stands still.
    this.#outages.answered(this.#name)
    switch (message[0]) {
      case 'answer':
        return this.#settle(message[1])?.resolve(message[2])
      case 'refusal': {
        const pending = this.#settle(message[1])
        return pending?.reject(errorOf(pending.side, message[2], message[3], message[4]))
      }
      case 'records':
        return this.#readers.get(message[1])?.deliver(message[2])
      case 'broken': {
        const reader = this.#readers.get(message[1])
        this.#readers.delete(message[1])
        reader?.fail(new LogError(message[2], message[3]))
      }
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  #sendRequest(pending: Pending): void {
    pending.sentAt = performance.now()
    this.#send(pending.message)
    this.#watch()
  }

  #sendFollow(id: number, reader: FollowingReader): void {
    if (this.#socket === null) return
    const { from, credit } = reader.resume()
    this.#send(['follow', id, reader.topic, reader.partition, from, credit])
  }

  /** What is said in one turn of the event loop goes out as one frame. */
  #send(message: ClientMessage): void {
    if (this.#socket === null) return
    this.#output.push(message)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      const output = this.#output
      this.#output = []
      if (output.length > 0) for (const frame of encodeFrames(output)) this.#socket?.write(frame)
    })
  }

  /** One timer, for the oldest request, and only while one is unanswered. */
  #watch(): void {
    const [oldest] = this.#pending.values()
    if (this.#watchdog !== null || this.#socket === null || oldest === undefined) return
    const leftMs = oldest.sentAt + answerTimeoutMs - performance.now()
    this.#watchdog = setTimeout(() => {
      // A turn later: answers that came while this process was stopped are read first.
      setImmediate(() => this.#judge())
    }, leftMs).unref()
  }

  #judge(): void {
    this.#watchdog = null
    const [oldest] = this.#pending.values()
    if (oldest !== undefined && this.#socket !== null && performance.now() - oldest.sentAt >= answerTimeoutMs) {
      this.#away(new Error(`it has not answered for ${answerTimeoutMs} ms`))
      this.#socket.destroy()
      this.#drop()
    } else {
      this.#watch()
    }
  }
}

function failure(side: Side, message: string): Error {
  return errorOf(side, 'unavailable', message)
}

function errorOf(
  side: Side,
  code: LogErrorCode | StoreErrorCode,
  message: string,
  hindrance: Hindrance | null = null,
): Error {
  return side === 'log'
    ? new LogError(code as LogErrorCode, message, { hindrance })
    : new StoreError(code as StoreErrorCode, message, { hindrance })
}
