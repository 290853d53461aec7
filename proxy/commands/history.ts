import { disconnects, errors } from '../../protocol/client/codes.ts'
import { isHistoryOn } from '../access/namespaces.ts'
import type { Session } from '../sessions/session.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** What was published in a channel before, as far as its namespace shows it. */
export function history(context: Context, session: Session, command: CommandOf<'history'>): void {
  const { config, sessions, namespaces, forwarding } = context
  const { id, channel, limit, since, reverse } = command
  if (channel === '') return sessions.close(session, disconnects.badRequest)
  const refusal = namespaces.refusal(session, channel, 'history')
  if (refusal) return refuse(context, session, id, refusal)
  if (!isHistoryOn(namespaces.optionsOf(channel)!)) return refuse(context, session, id, errors.notAvailable)
  const { recovery_max_publication_limit: recovered, history_max_publication_limit: shown } = config.client
  const most = Math.min(recovered, shown)
  const query = { limit: limit < 0 ? most : Math.min(limit, most), since, reverse }
  forwarding.forward(session, {
    id,
    reply: 'history',
    method: 'history',
    channel,
    data: JSON.stringify(query),
    isRead: true,
  })
}
