import { chmodSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Logger } from 'pino'
import { SqliteLog } from '../log/embedded/sqlite-log.ts'
import { SqliteStore } from '../store/embedded/sqlite-store.ts'
import type { Sql } from '../store/embedded/sql.ts'
import { databasePath, fileError, fileErrorCode, openFile, type Sync } from './file.ts'
import { GroupCommit } from './group-commit.ts'
import { Peer } from './peer.ts'
import { readPlace, removePlace, removeSocketDirectory, socketDirectoryPrefix, writePlace } from './place.ts'
import { RequestRunner } from './requests.ts'
import { Tails } from './tails.ts'

export { EngineStartError } from './errors.ts'

/** How long a stopping engine waits for clients to take their last answers. */
export const stopGraceMs = 1_000

export interface EngineOptions {
  dataDir: string
  sync: Sync
  logger: Logger
  /** Called once, when the engine cannot go on; it answers nobody any more. */
  onFatal: (error: Error) => void
}

/**
 * Runs the one process that owns the file of a data directory, and serves the embedded log and store from it.
 * Rejects with an EngineStartError when the file or its directory cannot be used.
 */
export async function runEngine({
  dataDir: wanted,
  sync,
  logger,
  onFatal,
}: EngineOptions): Promise<{ stop(): Promise<void> }> {
  const dataDir = resolve(wanted)
  const sql = openFile(dataDir, sync)
  const engine = new Engine(sql, logger, (cause) => {
    const error = fileError(fileErrorCode(cause) ?? 'unwritable', databasePath(dataDir), cause)
    logger.fatal({ err: error }, 'engine cannot go on')
    onFatal(error)
  })
  try {
    // The file is ours, so whoever noted this place is dead.
    const stale = await readPlace(dataDir)
    if (stale !== null) await removeSocketDirectory(stale)
    const place = { pid: process.pid, socket: join(await mkdtemp(join(tmpdir(), socketDirectoryPrefix)), 'socket') }
    await engine.listen(place.socket)
    await writePlace(dataDir, place)
    logger.info({ file: databasePath(dataDir), socket: place.socket, sync }, 'engine listens')
    return {
      async stop() {
        await removePlace(dataDir)
        await engine.stop()
        await removeSocketDirectory(place)
        logger.info('engine stopped')
      },
    }
  } catch (error) {
    await engine.stop()
    throw fileError('unwritable', dataDir, error)
  }
}

class Engine {
  #sql: Sql
  #server: Server
  #peers = new Set<Peer>()
  #clients = new Map<string, Peer>()
  #group: GroupCommit
  #tails: Tails
  #logger: Logger
  #failed: (error: unknown) => void

  constructor(sql: Sql, logger: Logger, failed: (error: unknown) => void) {
    this.#sql = sql
    this.#logger = logger
    this.#failed = failed
    this.#server = createServer((socket) => this.#accept(socket))
    const log = new SqliteLog(sql)
    this.#tails = new Tails(log)
    this.#group = new GroupCommit({
      sql,
      runner: new RequestRunner(log, new SqliteStore(sql, Date.now)),
      committed: (appended) => appended.forEach((records) => this.#tails.appended(records)),
      failed: (error) => this.#fail(error),
    })
  }

  async listen(path: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(path, resolve)
    await promise
    chmodSync(path, 0o600)
  }

  async stop(): Promise<void> {
    this.#group.end()
    const closed = Promise.withResolvers<void>()
    // Closing one that never listened is an error, and closed is what it is then.
    this.#server.close(() => closed.resolve())
    for (const peer of this.#peers) peer.end()
    const impatient = setTimeout(() => this.#peers.forEach((peer) => peer.destroy()), stopGraceMs)
    await closed.promise
    clearTimeout(impatient)
    this.#sql.close()
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
          for (const [client, known] of this.#clients) if (known === peer) this.#clients.delete(client)
        },
      }),
    )
  }

  #fail(error: unknown): void {
    this.#group.end()
    this.#server.close()
    for (const peer of this.#peers) peer.destroy()
    this.#failed(error)
  }
}
