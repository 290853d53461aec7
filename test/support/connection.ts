/** A client's connection, where a test needs only a part of one. */
import type { Connection } from '../../proxy/transports/transport.ts'
import { jsonOverWebSocket } from '../../proxy/transports/websocket/json-over-websocket.ts'

const quiet: Connection = {
  transport: jsonOverWebSocket,
  bufferedBytes: 0,
  write: () => {},
  pause: () => {},
  resume: () => {},
  close: () => {},
  terminate: () => {},
}

/** A client's connection that is nothing but what is given of it. */
export function connectionOf(given: Partial<Connection>): Connection {
  return Object.defineProperties({ ...quiet }, Object.getOwnPropertyDescriptors(given))
}
