/** A session, where a test needs only a part of one. */
import { newIntake, newSession } from '../../proxy/sessions/session.ts'
import type { Session } from '../../proxy/sessions/session.ts'
import type { Connection } from '../../proxy/transports/transport.ts'
import { connectionOf } from './connection.ts'

/** A session that has not connected yet, on a connection that does nothing unless one is given. */
export function sessionOf(id: string, connection: Connection = connectionOf({})): Session {
  return newSession({ id, connection, address: '', connectBy: 0, intake: newIntake(0, 0, 0) })
}
