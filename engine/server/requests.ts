import type { LogRequests } from '../../log/embedded/log-requests.ts'
import type { SqliteLog } from '../../log/embedded/sqlite-log.ts'
import type { LogEntry } from '../../log/log.ts'
import type { SqliteStore, StoreArguments, StoreRequest } from '../../store/embedded/sqlite-store.ts'
import type { Side } from '../messages.ts'

/** One request of a client, and where its outcome goes. */
export interface Request {
  side: Side
  name: string
  values: unknown[]
  answer: (answer: unknown) => void
  refuse: (error: unknown) => void
}

/** Records that a request put at the end of a partition, for those who follow it. */
export interface Appended {
  topic: string
  partition: number
  first: number
  entries: LogEntry[]
}

/** Runs requests on the tables, in the caller's transaction. */
export class RequestRunner {
  #log: SqliteLog
  #store: SqliteStore

  constructor(log: SqliteLog, store: SqliteStore) {
    this.#log = log
    this.#store = store
  }

  /** To be called after a rollback. */
  forget(): void {
    this.#log.forget()
  }

  /** A read needs no transaction. */
  isRead({ side, name }: Request): boolean {
    if (side === 'log') return name === 'range'
    return name === 'migrate' || (this.#store.has(name) && this.#store.isRead(name))
  }

  /** Returns the answer, and hands what was appended to `appended`. Throws what the request is refused with. */
  run({ side, name, values }: Request, appended: (appended: Appended) => void): unknown {
    if (side === 'store') {
      // The engine has migrated its file before it listens.
      if (name === 'migrate') return undefined
      if (!this.#store.has(name)) throw new TypeError(`the store has no request ${name}`)
      return this.#store.handle(name, values as StoreArguments<StoreRequest>)
    }
    switch (name as keyof LogRequests) {
      case 'createTopics':
        return this.#log.createTopics(...(values as Parameters<LogRequests['createTopics']>))
      case 'append': {
        const [topic, partition, entries] = values as Parameters<LogRequests['append']>
        const first = this.#log.append(topic, partition, entries)
        appended({ topic, partition, first, entries })
        return first
      }
      case 'range':
        return this.#log.range(...(values as Parameters<LogRequests['range']>))
      case 'trim':
        return this.#log.trim(...(values as Parameters<LogRequests['trim']>))
      default:
        throw new TypeError(`the log has no request ${name}`)
    }
  }
}
