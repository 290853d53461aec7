import { disconnects, errors } from '../../protocol/client/codes.ts'
import { endsAt } from '../access/tokens.ts'
import type { Session } from '../sessions/session.ts'
import { connectionOf } from './context.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** Who the client is, by its token: from here on it may do what its user may. */
export function connect(context: Context, session: Session, { id, token }: CommandOf<'connect'>): void {
  const { config, env, sessions, output } = context
  if (token === '' && !config.client.insecure) return sessions.close(session, disconnects.badRequest)
  if (token !== '' && !identify(context, session, id, token)) return
  sessions.connected(session)
  const result = connectionOf(context, session)
  // A client for whom it is 0 answers no pings; one that is told too little takes us for dead.
  result.ping = Math.ceil(config.client.ping_interval / 1000)
  result.pong = true
  output.send(session, { kind: 'reply', id, method: 'connect', result: JSON.stringify(result) })
  env.logger.debug({ session: session.id, address: session.address, user: session.user }, 'connected')
}

/** False for a token that lets nobody in: the client has been told. */
function identify(context: Context, session: Session, id: number, token: string): boolean {
  const { config, env, sessions, intake, tokens, refusals } = context
  const verdict = tokens.verify(token, env.clock.now())
  if ('refused' in verdict) {
    refusals.refused('connect', session.id, verdict.fault)
    if (verdict.refused === 'invalid') {
      sessions.close(session, disconnects.invalidToken)
      return false
    }
    // The connection is of no use any more; the client comes back with a new token.
    sessions.refused(session)
    refuse(context, session, id, errors.tokenExpired)
    intake.drop(session)
    return false
  }
  if (verdict.identity.user === '' && config.client.disallow_anonymous_connection_tokens) {
    refusals.refused('connect', session.id, 'no user')
    sessions.close(session, disconnects.permissionDenied)
    return false
  }
  const { expiresAt, ...identity } = verdict.identity
  Object.assign(session, { ...identity, endsAt: endsAt(env.clock, expiresAt) })
  return true
}
