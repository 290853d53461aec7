import type { EngineConnection } from '../../engine/connection.ts'
import { shareConnection } from '../../engine/shared.ts'
import type { OutageEvents } from '../../platform/outages.ts'
import { StoreError } from '../errors.ts'
import type { Store } from '../store.ts'
import type { StoreAnswer, StoreArguments, StoreRequest } from './sqlite-store.ts'
import { storeRequests } from './store-requests.ts'

/** The store that the engine of a data directory keeps. `events` are told when the engine is away. */
export function openEmbeddedStore(dataDir: string, events?: OutageEvents): Store {
  const { connection, release } = shareConnection(dataDir, events)
  return embeddedStore(connection, release)
}

/** The store behind a connection to an engine. `release` is called once, when the store is closed. */
export function embeddedStore(connection: EngineConnection, release: () => Promise<void>): Store {
  let closed = false

  const request = (name: string, values: unknown[]): Promise<unknown> =>
    closed
      ? Promise.reject(new StoreError('unavailable', 'the store is closed'))
      : connection.request('store', name, values)

  const send = async <R extends StoreRequest>(name: R, values: StoreArguments<R>): Promise<StoreAnswer<R>> =>
    (await request(name, values)) as StoreAnswer<R>

  return {
    ...storeRequests(send),
    /** The engine migrates its file before it listens: an answer means that it is done. */
    async migrate() {
      await request('migrate', [])
    },
    async close() {
      if (closed) return
      closed = true
      await release()
    },
  }
}
