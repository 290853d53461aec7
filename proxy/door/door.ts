import type { CloseReason } from '../../protocol/client/codes.ts'
import type { AddressRefusal } from '../sessions/address-limits.ts'
import type { Session } from '../sessions/session.ts'
import type { Connection } from '../transports/transport.ts'

/** The proxy as a transport knows it: it brings connections, and what arrives on them. */
export interface Door {
  /** True, or why the proxy takes no new clients. */
  readonly serving: true | string
  /** Null when a client of that address may open one more connection. Each question counts as an attempt. */
  refuses(address: string): AddressRefusal | 'connection_limit' | null
  /** A connection begins. `address` is the client's, canonical. */
  open(connection: Connection, address: string): Session
  /** What the client sent: any number of commands. */
  received(session: Session, data: string): void
  /** A ping or pong of the transport itself. False for a ping that is better not answered. */
  control(session: Session): boolean
  /** Tells the client why and ends the connection. */
  close(session: Session, reason: CloseReason): void
  /** The connection is gone. */
  gone(session: Session): void
  /** Ends a connection that is closing, should its client not do so. */
  cutLater(connection: Pick<Connection, 'terminate'>): void
}
