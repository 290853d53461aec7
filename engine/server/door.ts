import { chmod, lstat, rename } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from 'pino'
import { readPlace, removePlace, writePlace, type EnginePlace } from '../place.ts'
import { makeSocketDirectory, removeSocketDirectory } from './socket-directory.ts'

/** How often the engine looks whether clients still find it. */
export const doorLookMs = 1_000

/** Where clients look, and who takes those that come in. */
export interface DoorOptions {
  dataDir: string
  logger: Logger
  accept: (socket: Socket) => void
}

interface Open {
  server: Server
  place: EnginePlace
  inode: number
}

/**
 * Where clients come in: a socket, and the note in the data directory that says where it is. Cleaners of temporary
 * directories take the one away, people the other: both are made anew then, and whoever is connected stays so.
 */
export class Door {
  readonly #options: DoorOptions
  #open: Open | null = null
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #isClosed = false
  /** The last thing that kept it from being made anew, so that each is said once. */
  #trouble = ''

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** Path of the socket; '' while there is none. */
  get socket(): string {
    return this.#open?.place.socket ?? ''
  }

  /** Resolves when clients can come in and find the way. */
  async open(): Promise<void> {
    this.#open = await this.#listen()
    await writePlace(this.#options.dataDir, this.#open.place)
    this.#timer = setInterval(() => void this.#look(), doorLookMs).unref()
  }

  /** Nobody finds the engine any more; resolves when nobody comes in. Those who are in stay. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    const open = this.#open
    this.#open = null
    if (open === null) return
    await removePlace(this.#options.dataDir)
    open.server.close()
    await removeSocketDirectory(open.place.socket)
  }

  /** As `close`, for an engine that is broken: what it leaves is for the next one to remove. */
  shut(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#open?.server.close()
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      await this.#mend()
      this.#trouble = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#trouble)
        this.#options.logger.error(
          { reason: message },
          'clients cannot find the engine, and its socket cannot be made anew',
        )
      this.#trouble = message
    } finally {
      this.#isLooking = false
    }
  }

  async #mend(): Promise<void> {
    const { dataDir, logger } = this.#options
    const before = this.#open
    if (before === null) return
    const found = await lstat(before.place.socket).catch(() => null)
    if (found?.ino !== before.inode) {
      const open = await this.#listen()
      if (this.#isClosed) return leave(open)
      this.#open = open
      before.server.close()
      logger.warn({ removed: before.place.socket, socket: open.place.socket }, 'socket was removed, made anew')
    }
    const noted = await readPlace(dataDir)
    if (noted?.socket === this.socket || this.#isClosed) return
    await writePlace(dataDir, this.#open!.place)
  }

  async #listen(): Promise<Open> {
    const { draft, socket } = await makeSocketDirectory()
    const server = createServer((client) => this.#options.accept(client))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(draft, resolve)
    try {
      await promise
      await chmod(draft, 0o600)
      await rename(draft, socket)
      return { server, place: { pid: process.pid, socket }, inode: (await lstat(socket)).ino }
    } catch (error) {
      server.close()
      await removeSocketDirectory(socket)
      throw error
    }
  }
}

async function leave({ server, place }: Open): Promise<void> {
  server.close()
  await removeSocketDirectory(place.socket)
}
