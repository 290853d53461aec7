import type { Env } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import type { App } from '../../protocol/app/contract.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'
import type { ConnectResult } from '../../protocol/client/message.ts'
import type { Namespaces } from '../access/namespaces.ts'
import type { TokenMisfit, TokenRefusals } from '../access/token-refusals.ts'
import type { TokenVerifier } from '../access/tokens.ts'
import type { Hub } from '../channels/hub.ts'
import type { Output } from '../sessions/output.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Subscriptions } from '../sessions/subscriptions.ts'
import type { Forwarding } from './forwarding.ts'
import type { Intake } from './intake.ts'

/** What commands are performed with. */
export interface Context {
  env: Env
  config: Config
  /** What clients may call of the app, by name. */
  calls: App['calls']
  version: string
  hub: Hub
  subscriptions: Subscriptions
  output: Output
  sessions: Sessions
  intake: Intake
  forwarding: Forwarding
  namespaces: Namespaces
  tokens: TokenVerifier
  refusals: TokenRefusals
}

/** The commands of one method, as its file takes them. */
export type CommandOf<M extends ClientCommand['method']> = Extract<ClientCommand, { method: M }>

/** A good token in the wrong hands, or in the wrong place. */
export function misfit({ refusals, sessions }: Context, session: Session, command: string, reason: TokenMisfit): void {
  refusals.refused(command, session.id, reason)
  sessions.close(session, disconnects.invalidToken)
}

/** The longest that a client is told to wait before it refreshes, as Centrifugo has it: its timers hold a year. */
const ttlSecondsMax = 365 * 24 * 3600

/** What a client is told of its connection, whenever its token was taken. */
export function connectionOf({ env, version }: Context, { id, endsAt }: Session): ConnectResult {
  const result: ConnectResult = { client: id, version }
  if (endsAt === 0) return result
  const seconds = Math.ceil((endsAt - env.clock.monotonic()) / 1000)
  return { ...result, expires: true, ttl: Math.min(Math.max(1, seconds), ttlSecondsMax) }
}
