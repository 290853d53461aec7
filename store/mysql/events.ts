import type { OutageEvents } from '../../platform/outages.ts'

/** What the adapter tells about itself, for metrics and the process's log. What is away is the `database`, or
 * `room in the database`. */
export interface MysqlEvents extends OutageEvents {
  /** A transaction was rolled back by a deadlock or a lock wait and is made again. */
  retried(reason: 'deadlock' | 'lock_wait'): void
  /** Connections to the server that are open. */
  connections(open: number): void
  /** Requests under way, and requests that wait for a connection. */
  requests(running: number, waiting: number): void
  /** A request was answered, or failed, after so long. */
  roundTrip(seconds: number): void
  /** So many slots' commits went in one transaction; `apart` when it failed and they were made one by one. */
  joined(slots: number, apart: boolean): void
}

/** For whoever measures nothing, as tools and tests. */
export const noEvents: MysqlEvents = {
  retried() {},
  connections() {},
  requests() {},
  roundTrip() {},
  joined() {},
  away() {},
  back() {},
}
