import type { Socket } from 'node:net'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import { SqliteLog } from '../../log/embedded/sqlite-log.ts'
import { SqliteStore } from '../../store/embedded/sqlite-store.ts'
import { Checkpoints } from './checkpoints.ts'
import type { Sync } from './database.ts'
import { Disk } from './disk.ts'
import { Door } from './door.ts'
import { EngineStartError } from './errors.ts'
import { fileError, fileErrorCode, openFile, type EngineFile } from './file.ts'
import { GroupCommit } from './group-commit.ts'
import { Peer } from './peer.ts'
import { RequestRunner } from './requests.ts'
import { removeDeadSockets } from './socket-directory.ts'
import { Tails } from './tails.ts'

export { EngineStartError }

/** How long a stopping engine waits for clients to take their last answers. */
export const stopGraceMs = 1_000

/** What serving needs beside an open file. */
export interface ServeOptions {
  dataDir: string
  logger: Logger
  /** Called once, when the engine cannot go on; it answers nobody any more. */
  onFatal: (error: Error) => void
  /** Called when the disk is full, and when it has room again. */
  onDisk?: (isFull: boolean) => void
}

/** What running needs: the file is opened too, with commits synced or not. */
export interface EngineOptions extends ServeOptions {
  sync: Sync
}

/** An engine that serves. stop() lets clients take their last answers, for `stopGraceMs`, and closes the file. */
export interface RunningEngine {
  readonly disk: Disk
  /** True, or why nothing can be stored. */
  readonly ready: true | string
  stop(): Promise<void>
}

/**
 * Runs the one process that owns the file of a data directory, and serves the embedded log and store from it.
 * Rejects with an EngineStartError when the file or its directory cannot be used.
 */
export async function runEngine({ sync, ...options }: EngineOptions): Promise<RunningEngine> {
  const dataDir = resolve(options.dataDir)
  return serveFile(openFile(dataDir, sync), { ...options, dataDir })
}

/** Serves an open file of a data directory, and closes it. */
export async function serveFile(
  open: EngineFile,
  { dataDir, logger, onFatal, onDisk }: ServeOptions,
): Promise<RunningEngine> {
  const file = open.path
  const disk: Disk = new Disk(dataDir, {
    full() {
      logger.error({ file, freeBytes: disk.freeBytes }, 'the disk is full: nothing is stored until there is room')
      onDisk?.(true)
    },
    room(fullMs) {
      logger.info({ file, freeBytes: disk.freeBytes, fullMs: Math.round(fullMs) }, 'the disk has room again')
      onDisk?.(false)
    },
  })
  const engine = new Engine(open, { dataDir, logger, disk }, (cause) => {
    const error = fileError(fileErrorCode(cause) ?? 'unwritable', file, cause)
    logger.fatal({ err: error }, 'engine cannot go on')
    onFatal(error)
  })
  try {
    await removeDeadSockets()
    const socket = await engine.open()
    logger.info({ file, socket }, 'engine listens')
    return {
      disk,
      get ready() {
        return disk.isFull ? `the disk under ${dataDir} is full, ${disk.freeBytes} bytes are free` : true
      },
      async stop() {
        await engine.stop()
        logger.info('engine stopped')
      },
    }
  } catch (error) {
    await engine.stop()
    throw error instanceof EngineStartError ? error : fileError('unwritable', dataDir, error)
  }
}

class Engine {
  #file: EngineFile
  #checkpoints: Checkpoints
  #door: Door
  #peers = new Set<Peer>()
  #clients = new Map<string, Peer>()
  #group: GroupCommit
  #tails: Tails
  #logger: Logger
  #failed: (error: unknown) => void
  /** Called when a client is gone, while the engine stops. */
  #gone: (() => void) | null = null

  constructor(file: EngineFile, at: { dataDir: string; logger: Logger; disk: Disk }, failed: (error: unknown) => void) {
    this.#file = file
    this.#logger = at.logger
    this.#failed = failed
    this.#door = new Door({ ...at, accept: (socket) => this.#accept(socket) })
    const { sql } = file
    const log = new SqliteLog(sql)
    this.#tails = new Tails(log)
    this.#group = new GroupCommit({
      sql,
      runner: new RequestRunner(log, new SqliteStore(sql, Date.now)),
      disk: at.disk,
      written: () => this.#checkpoints.committed(),
      committed: (appended) => appended.forEach((records) => this.#tails.appended(records)),
      failed: (error) => this.#fail(error),
    })
    this.#checkpoints = new Checkpoints({
      ...file,
      hold: (isHeld) => this.#group.hold(isHeld),
      failed: (error) => this.#fail(error),
    })
  }

  /** Resolves with the path of the socket. */
  async open(): Promise<string> {
    await this.#door.open()
    return this.#door.socket
  }

  async stop(): Promise<void> {
    this.#group.end()
    await this.#door.close()
    for (const peer of this.#peers) peer.end()
    const impatient = setTimeout(() => this.#peers.forEach((peer) => peer.destroy()), stopGraceMs)
    while (this.#peers.size > 0) await new Promise<void>((gone) => (this.#gone = gone))
    clearTimeout(impatient)
    await this.#checkpoints.end()
    this.#file.close()
  }

  #accept(socket: Socket): void {
    this.#peers.add(
      new Peer({
        socket,
        tails: this.#tails,
        request: (request) => this.#group.add(request),
        hello: (peer, client) => {
          // What a client sent on an older connection must not take effect after what it sends on this one.
          this.#clients.get(client)?.destroy()
          this.#clients.set(client, peer)
        },
        unexpected: (error) => {
          if (fileErrorCode(error) === undefined) this.#logger.error({ err: error }, 'engine: unexpected error')
          else this.#fail(error)
        },
        closed: (peer) => {
          this.#peers.delete(peer)
          this.#gone?.()
          for (const [client, known] of this.#clients) if (known === peer) this.#clients.delete(client)
        },
      }),
    )
  }

  #fail(error: unknown): void {
    this.#group.end()
    this.#door.shut()
    for (const peer of this.#peers) peer.destroy()
    this.#failed(error)
  }
}
