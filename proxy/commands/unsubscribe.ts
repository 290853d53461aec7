import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { Session } from '../sessions/session.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** A session wants nothing of a channel any more; that it had it is not asked for. */
export function unsubscribe(context: Context, session: Session, { id, channel }: CommandOf<'unsubscribe'>): void {
  const { hub, output, sessions, subscriptions, namespaces } = context
  if (channel === '') return sessions.close(session, disconnects.badRequest)
  if (!namespaces.isName(channel)) return refuse(context, session, id, errors.badRequest)
  if (subscriptions.delete(session, channel)) hub.leave(session, channel)
  session.wanted.delete(channel)
  output.send(session, { kind: 'reply', id, method: 'unsubscribe', result: '{}' })
}
