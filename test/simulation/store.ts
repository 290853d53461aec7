/** The store as one simulated process reaches it. */
import { DatabaseSync } from 'node:sqlite'
import { Sql } from '../../engine/sql.ts'
import { SqliteStore } from '../../store/embedded/sqlite-store.ts'
import type { StoreAnswer, StoreArguments, StoreRequest } from '../../store/embedded/sqlite-store.ts'
import { storeRequests } from '../../store/embedded/store-requests.ts'
import { migrate, storeMigrations } from '../../store/embedded/tables.ts'
import type { Store } from '../../store/store.ts'
import type { Host } from './host.ts'
import type { Network } from './network.ts'

/** Told what the store has just done, and what it refused. */
export interface StoreWatch {
  /** Told in the turn of the process that asks, before the request is on its way. */
  asked?<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>): void
  done<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>, answer: StoreAnswer<R>): void
  refused?(host: Host, request: StoreRequest, error: unknown): void
}

/** What is in the store: the production SQL on a database in memory. */
export class StoreData {
  readonly sql = new Sql(new DatabaseSync(':memory:'))
  readonly #store: SqliteStore
  readonly #watches: readonly StoreWatch[]

  /** `now` is the store's own clock, ms. */
  constructor(now: () => number, watches: readonly StoreWatch[]) {
    migrate(this.sql, storeMigrations)
    this.#store = new SqliteStore(this.sql, now)
    this.#watches = watches
  }

  execute<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>): StoreAnswer<R> {
    const work = () => this.#store.handle(request, values)
    try {
      const answer = this.#store.isRead(request) ? work() : this.sql.transaction(work)
      for (const watch of this.#watches) watch.done(host, request, values, answer)
      return answer
    } catch (error) {
      for (const watch of this.#watches) watch.refused?.(host, request, error)
      throw error
    }
  }

  asked<R extends StoreRequest>(host: Host, request: R, values: StoreArguments<R>): void {
    for (const watch of this.#watches) watch.asked?.(host, request, values)
  }

  /** A request of the world itself, as if a person made it. */
  ask<R extends StoreRequest>(request: R, ...values: StoreArguments<R>): StoreAnswer<R> {
    return this.sql.transaction(() => this.#store.handle(request, values))
  }

  snapshot(): Uint8Array {
    return this.sql.database.serialize()
  }

  /** What was committed since the snapshot is lost, as in a lossy failover. */
  goBackTo(snapshot: Uint8Array): void {
    this.sql.forgetStatements()
    this.sql.database.deserialize(snapshot)
  }

  close(): void {
    this.sql.close()
  }
}

/** One process's handle on the store. */
export function simulatedStore(data: StoreData, network: Network, host: Host): Store {
  const send = <R extends StoreRequest>(request: R, values: StoreArguments<R>): Promise<StoreAnswer<R>> => {
    data.asked(host, request, values)
    return network.request(host, 'store', nameOf(request, values), () => {
      // It is read so that no commit under way can still change it: whoever waits for it has seen those.
      if (request === 'lease') network.settleLate(host, 'store')
      return data.execute(host, request, values)
    })
  }
  return { ...storeRequests(send), migrate: async () => {}, close: async () => {} }
}

function nameOf(request: StoreRequest, [first]: readonly unknown[]): string {
  if (typeof first === 'string') return `${request} ${first}`
  const slot = (first as { slot?: unknown } | undefined)?.slot
  return typeof slot === 'string' ? `${request} ${slot}` : request
}
