import { disconnects } from '../../protocol/client/codes.ts'
import { endsAt } from '../access/tokens.ts'
import type { Session } from '../sessions/session.ts'
import { connectionOf, misfit } from './context.ts'
import type { CommandOf, Context } from './context.ts'

/** A new token of the same user: the connection lasts as long as that. */
export function refresh(context: Context, session: Session, { id, token }: CommandOf<'refresh'>): void {
  const { env, sessions, output, tokens, refusals } = context
  if (token === '') return sessions.close(session, disconnects.badRequest)
  const verdict = tokens.verify(token, env.clock.now())
  if ('refused' in verdict) {
    refusals.refused('refresh', session.id, verdict.fault)
    // SDKs take an error here for final; a connection that expired they open anew, with a new token.
    return sessions.close(session, verdict.refused === 'invalid' ? disconnects.invalidToken : disconnects.expired)
  }
  const { user, expiresAt, connInfo } = verdict.identity
  if (user !== session.user) return misfit(context, session, 'refresh', 'another user')
  Object.assign(session, { connInfo, endsAt: endsAt(env.clock, expiresAt) })
  output.send(session, { kind: 'reply', id, method: 'refresh', result: JSON.stringify(connectionOf(context, session)) })
}
