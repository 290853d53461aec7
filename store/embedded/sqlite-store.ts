import { sqliteCode, type Sql } from '../../engine/sql.ts'
import { StoreError } from '../errors.ts'
import type { Store } from '../store.ts'
import { Channels } from './channels.ts'
import { Cluster } from './cluster.ts'
import { Commits } from './commits.ts'
import { Documents } from './documents.ts'
import { Leases } from './leases.ts'

/** The requests of the seam that SQLite answers, by name. */
export type StoreRequest = Exclude<keyof Store, 'migrate' | 'close'>

/** What a request of the seam is made with. */
export type StoreArguments<R extends StoreRequest> = Parameters<Store[R]>

/** What a request of the seam resolves with. */
export type StoreAnswer<R extends StoreRequest> = Awaited<ReturnType<Store[R]>>

type Handlers = { [R in StoreRequest]: (...values: StoreArguments<R>) => StoreAnswer<R> }

/** Requests that change nothing: they need no transaction. */
const reads: ReadonlySet<StoreRequest> = new Set<StoreRequest>([
  'namespaces',
  'leases',
  'lease',
  'channels',
  'activeChannels',
  'idempotent',
  'messages',
  'servingVersion',
  'documents',
  'documentHistory',
  'audit',
  'instances',
])

/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const duplicateCodes = new Set([2067, 1555])

/** The store in a SQLite database that has its tables: one synchronous call for each request of the seam. */
export class SqliteStore {
  #handlers: Handlers

  /** `now` is the store's own clock, in milliseconds. */
  constructor(sql: Sql, now: () => number) {
    const leases = new Leases(sql)
    const commits = new Commits(sql, leases)
    const channels = new Channels(sql)
    const cluster = new Cluster(sql, now)
    const documents = new Documents(sql, now)
    this.#handlers = {
      createGroup: (...values) => leases.createGroup(...values),
      pinNamespaces: (...values) => leases.pinNamespaces(...values),
      namespaces: () => leases.namespaces(),
      leases: () => leases.leases(),
      lease: (...values) => leases.lease(...values),
      acquire: (...values) => leases.acquire(...values),
      release: (...values) => leases.release(...values),
      markTrying: (...values) => leases.markTrying(...values),
      markKilled: (...values) => leases.markKilled(...values),
      resetSlot: (...values) => leases.resetSlot(...values),
      commit: (...values) => commits.commit(...values),
      pruneInterest: (...values) => commits.pruneInterest(...values),
      channels: (...values) => channels.channels(...values),
      activeChannels: (...values) => channels.activeChannels(...values),
      idempotent: (...values) => channels.idempotent(...values),
      messages: (...values) => channels.messages(...values),
      servingVersion: () => cluster.servingVersion(),
      setServingVersion: (...values) => cluster.setServingVersion(...values),
      documents: (...values) => documents.documents(...values),
      putDocuments: (...values) => documents.putDocuments(...values),
      documentHistory: (...values) => documents.documentHistory(...values),
      audit: (...values) => documents.audit(...values),
      registerInstances: (...values) => cluster.registerInstances(...values),
      moveInstance: (...values) => cluster.moveInstance(...values),
      instances: () => cluster.instances(),
      lead: (...values) => cluster.lead(...values),
    }
  }

  has(request: string): request is StoreRequest {
    return Object.hasOwn(this.#handlers, request)
  }

  isRead(request: StoreRequest): boolean {
    return reads.has(request)
  }

  /** Runs one request in the caller's transaction, which must be rolled back (to where it was) when this throws. */
  handle<R extends StoreRequest>(request: R, values: StoreArguments<R>): StoreAnswer<R> {
    try {
      return this.#handlers[request](...values)
    } catch (error) {
      if (duplicateCodes.has(sqliteCode(error) ?? 0)) {
        throw new StoreError('duplicate', `${request}: ${(error as Error).message}`, { cause: error })
      }
      throw error
    }
  }
}
