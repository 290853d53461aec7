import type { Store } from '../store.ts'
import { Channels } from './channels.ts'
import { Cluster } from './cluster.ts'
import { CommitQueue } from './commit-queue.ts'
import { Database } from './database.ts'
import { Documents } from './documents.ts'
import { storeErrorOf } from './errors.ts'
import { noEvents, type MysqlEvents } from './events.ts'
import { Leases } from './leases.ts'
import { migrate } from './migrate.ts'
import { Prunes } from './prunes.ts'
import { parseMysqlUrl } from './url.ts'

/**
 * Opens the store in a MySQL (8.4) or MariaDB (10.11 or later) database:
 * `mysql://user:password@host[:port]/database[?tls=true&ca=FILE]`. Connects when it is first asked something; `migrate` has connections ready then. Throws
 * one clear error for a URL that is not right.
 */
export function openMysqlStore(url: string, events: MysqlEvents = noEvents): Store {
  const target = parseMysqlUrl(url)
  const database = new Database(target, events)
  const leases = new Leases(database)
  const commits = new CommitQueue(database, events)
  const prunes = new Prunes(database)
  const channels = new Channels(database)
  const cluster = new Cluster(database)
  const documents = new Documents(database)
  return {
    migrate: told(async () => {
      await database.watch(() => migrate(target))
      await database.connect()
    }),
    createGroup: told((...values) => leases.createGroup(...values)),
    pinNamespaces: told((...values) => leases.pinNamespaces(...values)),
    namespaces: told(() => leases.namespaces()),
    leases: told(() => leases.leases()),
    lease: told((...values) => leases.lease(...values)),
    acquire: told((...values) => leases.acquire(...values)),
    release: told((...values) => leases.release(...values)),
    markTrying: told((...values) => leases.markTrying(...values)),
    markKilled: told((...values) => leases.markKilled(...values)),
    resetSlot: told((...values) => leases.resetSlot(...values)),
    commit: told((...values) => commits.commit(...values)),
    pruneInterest: told((...values) => prunes.pruneInterest(...values)),
    channels: told((...values) => channels.channels(...values)),
    activeChannels: told((...values) => channels.activeChannels(...values)),
    idempotent: told((...values) => channels.idempotent(...values)),
    messages: told((...values) => channels.messages(...values)),
    servingVersion: told(() => cluster.servingVersion()),
    setServingVersion: told((...values) => cluster.setServingVersion(...values)),
    documents: told((...values) => documents.documents(...values)),
    putDocuments: told((...values) => documents.putDocuments(...values)),
    documentHistory: told((...values) => documents.documentHistory(...values)),
    audit: told((...values) => documents.audit(...values)),
    registerInstances: told((...values) => cluster.registerInstances(...values)),
    moveInstance: told((...values) => cluster.moveInstance(...values)),
    instances: told(() => cluster.instances()),
    lead: told((...values) => cluster.lead(...values)),
    close: () => database.close(),
  }
}

/** A method that rejects with the seam's errors. */
function told<V extends unknown[], T>(method: (...values: V) => Promise<T>): (...values: V) => Promise<T> {
  return async (...values) => {
    try {
      return await method(...values)
    } catch (error) {
      throw storeErrorOf(error)
    }
  }
}
