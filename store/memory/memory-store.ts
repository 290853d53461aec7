import { DatabaseSync } from 'node:sqlite'
import { Sql } from '../../engine/sql.ts'
import { SqliteStore, type StoreAnswer, type StoreArguments, type StoreRequest } from '../embedded/sqlite-store.ts'
import { storeRequests } from '../embedded/store-requests.ts'
import { migrate, storeMigrations } from '../embedded/tables.ts'
import { StoreError } from '../errors.ts'
import type { Store } from '../store.ts'

/** What several MemoryStore handles share. `now` is the store's own clock, in milliseconds. */
export class MemoryStoreData {
  readonly sql = new Sql(new DatabaseSync(':memory:'))
  readonly store: SqliteStore

  constructor(now: () => number = Date.now) {
    this.store = new SqliteStore(this.sql, now)
  }

  /** Everything that is in the store now. */
  snapshot(): Uint8Array {
    return this.sql.database.serialize()
  }

  /** The store is as it was at a snapshot: what was committed since is lost, as in a lossy failover. */
  goBackTo(snapshot: Uint8Array): void {
    this.sql.forgetStatements()
    this.sql.database.deserialize(snapshot)
  }
}

/**
 * Where a test can get between a caller and the store. A hook that waits holds the request; one that throws cuts the
 * connection at that point: the caller sees `unavailable`, and the request took effect only when the hook was the one
 * after the commit. A StoreError is passed on as it is.
 */
export interface MemoryStoreHooks {
  /** Called before a request takes effect. */
  beforeCommit?: (request: StoreRequest, values: readonly unknown[]) => Promise<void> | void
  /** Called when it has taken effect and nobody knows. */
  afterCommit?: (request: StoreRequest, values: readonly unknown[]) => Promise<void> | void
}

/** A handle that a test can cut off from the store, and back. */
export interface MemoryStore extends Store {
  /** While cut off, every request ends `unavailable`, those under way too. */
  cut(): void
  /** Requests are answered again. */
  restore(): void
}

/** One process's handle on an in-process store. */
export function memoryStore(data: MemoryStoreData, hooks: MemoryStoreHooks = {}): MemoryStore {
  let reachable = true
  let closed = false

  const pass = async (hook: (() => Promise<void> | void) | undefined): Promise<void> => {
    try {
      await hook?.()
    } catch (error) {
      if (error instanceof StoreError) throw error
      throw new StoreError('unavailable', 'the connection to the store was cut', { cause: error })
    }
    if (closed) throw new StoreError('unavailable', 'the store is closed')
    if (!reachable) throw new StoreError('unavailable', 'the store cannot be reached')
  }

  const send = async <R extends StoreRequest>(request: R, values: StoreArguments<R>): Promise<StoreAnswer<R>> => {
    await pass(() => hooks.beforeCommit?.(request, values))
    const answer = data.sql.transaction(() => data.store.handle(request, values))
    await pass(() => hooks.afterCommit?.(request, values))
    return answer
  }

  return {
    ...storeRequests(send),
    async migrate() {
      await pass(undefined)
      migrate(data.sql, storeMigrations)
    },
    async close() {
      closed = true
    },
    cut() {
      reachable = false
    },
    restore() {
      reachable = true
    },
  }
}
