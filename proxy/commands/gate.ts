import { disconnects } from '../../protocol/client/codes.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'
import type { Session } from '../sessions/session.ts'
import type { Context } from './context.ts'
import { commands } from './table.ts'

/**
 * Lets a command through to what is done with it, strictly in the order in which its session sent them. By now it is
 * parsed and within the session's rate (intake.ts); who may do what in a channel its file asks (access/namespaces.ts).
 */
export function perform(context: Context, session: Session, command: ClientCommand): void {
  if (!isInTime(session, command)) return context.sessions.close(session, disconnects.badRequest)
  const handle = commands[command.method] as (context: Context, session: Session, command: ClientCommand) => void
  handle(context, session, command)
}

/** `connect` comes first and once, everything else after it; a pong may come whenever a ping was sent. */
function isInTime({ phase }: Session, { method }: ClientCommand): boolean {
  if (method === 'pong') return true
  return method === 'connect' ? phase === 'new' : phase === 'connected'
}
