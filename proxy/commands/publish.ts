import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { Session } from '../sessions/session.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** A message for everybody in a channel. */
export function publish(context: Context, session: Session, { id, channel, data }: CommandOf<'publish'>): void {
  const { sessions, namespaces, forwarding } = context
  if (channel === '') return sessions.close(session, disconnects.badRequest)
  if (data === null) return refuse(context, session, id, errors.badRequest)
  const refusal = namespaces.refusal(session, channel, 'publish')
  if (refusal) return refuse(context, session, id, refusal)
  forwarding.forward(session, { id, reply: 'publish', method: 'publish', channel, data, isRead: false })
}
