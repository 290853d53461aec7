import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { SubscribeResult } from '../../protocol/client/message.ts'
import { isHistoryOn } from '../access/namespaces.ts'
import type { TokenMisfit } from '../access/token-refusals.ts'
import { endsAt } from '../access/tokens.ts'
import type { Grant } from '../access/tokens.ts'
import type { Joining } from '../channels/channel.ts'
import { wantAgain } from '../sessions/session.ts'
import type { Session } from '../sessions/session.ts'
import { misfit } from './context.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** Ways to send publications that the protocol knows; asking for one says only that the client could take it. */
const deltas = new Set(['', 'fossil'])
/** Kinds of subscriptions. */
const kinds = { stream: 0, sharedPoll: 4 }

/** A session is to get what is published in a channel from here on, and what it missed. */
export function subscribe(context: Context, session: Session, command: CommandOf<'subscribe'>): void {
  const { hub, sessions, subscriptions, namespaces } = context
  const { id, channel, token } = command
  if (channel === '' || !deltas.has(command.delta)) return sessions.close(session, disconnects.badRequest)
  session.wanted.delete(channel)
  const invalid = namespaces.invalid(channel)
  if (invalid) return refuse(context, session, id, invalid)
  const grant = token === '' ? null : grantOf(context, session, command)
  if (grant === 'refused') return
  const refusal = namespaces.refusal(session, channel, 'subscribe', grant !== null) ?? kindRefusal(command)
  if (refusal) return refuse(context, session, id, refusal)
  if (session.channels.has(channel)) return refuse(context, session, id, errors.alreadySubscribed)
  const options = namespaces.optionsOf(channel)!
  if (!subscriptions.add(session, channel)) return refuse(context, session, id, errors.limitExceeded)
  // As in Centrifugo: whoever may read the history could find out all of it anyway.
  const mayRead = namespaces.refusal(session, channel, 'history') === null
  const isRecoverable =
    isHistoryOn(options) && (options.force_recovery || (command.recoverable && (options.allow_recovery || mayRead)))
  const isPositioned = options.force_positioning || (command.positioned && (options.allow_positioning || mayRead))
  hub.subscribe(session, channel, {
    id,
    recover: isRecoverable ? command.recover : null,
    rejectUnrecovered: command.rejectUnrecovered,
    isRecoverable,
    isPositioned: isRecoverable || isPositioned,
    wasRecovering: command.recover !== null,
    history: { size: options.history_size, ttlMs: options.history_ttl },
    expiresAt: grant?.expiresAt ?? 0,
  })
}

/** The hub has let it in. */
export function joined(
  { env, output, forwarding }: Pick<Context, 'env' | 'output' | 'forwarding'>,
  channel: string,
  { session, id, expiresAt, startedAt }: Joining,
  result: SubscribeResult,
  publications: string[],
): void {
  if (expiresAt === 0) session.subscriptionEnds?.delete(channel)
  else (session.subscriptionEnds ??= new Map<string, number>()).set(channel, endsAt(env.clock, expiresAt))
  output.send(session, { kind: 'subscribed', id, result, publications })
  forwarding.measure('subscribe', '', null, startedAt)
}

/** The hub could not let it in, or it was given up. */
export function failed(
  context: Pick<Context, 'env' | 'output' | 'config' | 'subscriptions' | 'forwarding'>,
  channel: string,
  { session, id, startedAt }: Joining,
  error: ClientError,
): void {
  const { config, subscriptions, forwarding } = context
  subscriptions.delete(session, channel)
  if (error.temporary) wantAgain(session, channel, config.client.channel_limit)
  else session.wanted.delete(channel)
  refuse(context, session, id, error)
  forwarding.measure('subscribe', '', error, startedAt)
}

/** What the token of a subscribe allows; one that is refused has been answered. */
function grantOf(context: Context, session: Session, command: CommandOf<'subscribe'>): Grant | 'refused' {
  const { env, tokens, refusals } = context
  const verdict = tokens.verifySubscription(command.token, env.clock.now())
  if ('refused' in verdict) {
    refusals.refused('subscribe', session.id, verdict.fault)
    refuse(context, session, command.id, verdict.refused === 'invalid' ? errors.permissionDenied : errors.tokenExpired)
    return 'refused'
  }
  const reason = misfitOf(verdict.grant, session, command.channel)
  if (reason === null) return verdict.grant
  misfit(context, session, 'subscribe', reason)
  return 'refused'
}

function misfitOf(grant: Grant, session: Session, channel: string): TokenMisfit | null {
  if (grant.channel !== channel) return 'another channel'
  if (grant.user !== session.user) return 'another user'
  return grant.client === '' || grant.client === session.id ? null : 'another client'
}

/** A subscription that is another one than was asked for would be wrong without a word. */
function kindRefusal({ type, isFiltered }: CommandOf<'subscribe'>): ClientError | null {
  if (type === kinds.sharedPoll) return errors.notAvailable
  if (type !== kinds.stream) return errors.permissionDenied
  return isFiltered ? errors.badRequest : null
}
