import type { Socket } from 'node:net'
import { LogError } from '../../log/errors.ts'
import type { LogRecord } from '../../log/log.ts'
import { recordBytes } from '../../log/rules.ts'
import { StoreError } from '../../store/errors.ts'
import { FrameDecoder, encodeFrames } from '../frames.ts'
import { isClientMessage, type ClientMessage, type ServerMessage } from '../messages.ts'
import type { Request } from './requests.ts'
import type { Tail, Tails } from './tails.ts'

/** Bytes that wait for a client before its readers pause and no more of its requests are taken. */
export const outputBytesMax = 1024 * 1024

/** Requests of one client that wait for their transaction before no more are taken. */
export const requestsWaitingMax = 10_000

/** Time that a connection has to say whose it is. */
export const helloDeadlineMs = 10_000

/** The connection, and who is told what comes in on it. */
export interface PeerOptions {
  socket: Socket
  tails: Tails
  request(request: Request): void
  hello(peer: Peer, client: string): void
  /** An error that no request of the seams explains: ours, or the file's. */
  unexpected(error: unknown): void
  closed(peer: Peer): void
}

/** The engine's end of one client's connection. What is said in one turn goes out as one frame. */
export class Peer {
  #options: PeerOptions
  #decoder = new FrameDecoder<unknown>()
  #output: ServerMessage[] = []
  #outputBytes = 0
  #requestsWaiting = 0
  #tails = new Map<number, Tail>()
  readonly #impatient: NodeJS.Timeout

  constructor(options: PeerOptions) {
    this.#options = options
    const { socket } = options
    this.#impatient = setTimeout(() => this.destroy(), helloDeadlineMs)
    socket.on('data', (chunk) => this.#receive(chunk as Buffer))
    socket.on('drain', () => {
      this.#regulate()
      for (const tail of this.#tails.values()) options.tails.catchUp(tail)
    })
    // Whatever happened, 'close' follows, and the client connects again.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(this.#impatient)
      for (const tail of this.#tails.values()) options.tails.remove(tail)
      this.#tails.clear()
      options.closed(this)
    })
  }

  /** It takes more without being given more than `outputBytesMax`. */
  get roomy(): boolean {
    return this.#options.socket.writableLength + this.#outputBytes < outputBytesMax
  }

  /** Closes the connection; nothing that it still holds is read. */
  destroy(): void {
    this.#options.socket.destroy()
  }

  /** Closes the connection after what was said is out. */
  end(): void {
    this.#flush()
    this.#options.socket.destroySoon()
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) {
        for (const message of frame) {
          if (!isClientMessage(message)) throw new TypeError('a client says what is no message')
          this.#take(message)
        }
      }
    } catch (error) {
      this.#options.unexpected(error)
      this.destroy()
      return
    }
    this.#regulate()
  }

  #take(message: ClientMessage): void {
    const { tails } = this.#options
    switch (message[0]) {
      case 'hello':
        clearTimeout(this.#impatient)
        return this.#options.hello(this, message[1])
      case 'request': {
        const [, id, side, name, values] = message
        this.#requestsWaiting += 1
        return this.#options.request({
          side,
          name,
          values,
          answer: (answer) => this.#settle(['answer', id, answer]),
          refuse: (error) => this.#settle(this.#refusal(id, side, error)),
        })
      }
      case 'follow': {
        const [, id, topic, partition, from, credit] = message
        if (this.#tails.has(id)) throw new TypeError('a client follows twice as one reader')
        const tail = this.#tail(id, topic, partition, from, credit)
        this.#tails.set(id, tail)
        return tails.add(tail)
      }
      case 'credit': {
        const tail = this.#tails.get(message[1])
        if (tail === undefined) return
        tail.credit += message[2]
        return tails.catchUp(tail)
      }
      case 'unfollow': {
        const tail = this.#tails.get(message[1])
        if (tail !== undefined) tails.remove(tail)
        this.#tails.delete(message[1])
      }
    }
  }

  #tail(id: number, topic: string, partition: number, next: number, credit: number): Tail {
    const roomy = (): boolean => this.roomy
    return {
      topic,
      partition,
      next,
      credit,
      get roomy() {
        return roomy()
      },
      records: (records: LogRecord[]) => {
        for (const record of records) this.#outputBytes += recordBytes(record)
        this.#send(['records', id, records])
      },
      broken: (error: unknown) => {
        this.#tails.delete(id)
        if (!(error instanceof LogError)) this.#options.unexpected(error)
        const { code, message } = asLogError(error)
        this.#send(['broken', id, code, message])
      },
    }
  }

  #refusal(id: number, side: Request['side'], error: unknown): ServerMessage {
    if (!(error instanceof LogError || error instanceof StoreError)) this.#options.unexpected(error)
    const { code, message, hindrance } = side === 'log' ? asLogError(error) : asStoreError(error)
    return ['refusal', id, code, message, hindrance]
  }

  #settle(message: ServerMessage): void {
    this.#requestsWaiting -= 1
    this.#send(message)
    this.#regulate()
  }

  #send(message: ServerMessage): void {
    this.#output.push(message)
    if (this.#output.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const { socket } = this.#options
    if (this.#output.length > 0 && socket.writable) for (const frame of encodeFrames(this.#output)) socket.write(frame)
    this.#output = []
    this.#outputBytes = 0
  }

  #regulate(): void {
    const { socket } = this.#options
    const ready = this.roomy && this.#requestsWaiting < requestsWaitingMax
    if (ready && socket.isPaused()) socket.resume()
    else if (!ready && !socket.isPaused()) socket.pause()
  }
}

function asLogError(error: unknown): LogError {
  return error instanceof LogError ? error : new LogError('unavailable', messageOf(error))
}

function asStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError('damaged', messageOf(error))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
