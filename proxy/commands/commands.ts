import type { Config } from '../../config/config.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Env } from '../../cluster/env.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'
import type { App } from '../../protocol/app/contract.ts'
import type { ConnectResult } from '../../protocol/client/message.ts'
import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { Hub } from '../channels/hub.ts'
import type { Intake } from '../sessions/intake.ts'
import { Namespaces, isHistoryOn } from '../access/namespaces.ts'
import type { Output } from '../sessions/output.ts'
import { wantAgain } from '../sessions/session.ts'
import type { ReadGate } from '../uplink/read-gate.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Subscriptions } from '../sessions/subscriptions.ts'
import { TokenRefusals } from '../access/token-refusals.ts'
import type { TokenMisfit } from '../access/token-refusals.ts'
import { endsAt } from '../access/tokens.ts'
import type { Grant, TokenVerifier } from '../access/tokens.ts'
import type { Outcome, Request, Uplink } from '../uplink/uplink.ts'

type CommandOf<M extends ClientCommand['method']> = Extract<ClientCommand, { method: M }>

/** The longest that a client is told to wait before it refreshes, as Centrifugo has it: its timers hold a year. */
const ttlSecondsMax = 365 * 24 * 3600

export interface CommandsDeps {
  env: Env
  config: Config
  calls: App['calls']
  version: string
  hub: Hub
  subscriptions: Subscriptions
  uplink: Uplink
  reads: ReadGate
  output: Output
  sessions: Sessions
  intake: Intake
  tokens: TokenVerifier
}

/** What a proxy does with the commands of its sessions, strictly in the order in which each session sent them. */
export class Commands {
  readonly #deps: CommandsDeps
  readonly #namespaces: Namespaces
  readonly #refusals: TokenRefusals

  constructor(deps: CommandsDeps) {
    this.#deps = deps
    this.#refusals = new TokenRefusals(deps.env)
    this.#namespaces = new Namespaces(deps.config)
  }

  perform(session: Session, command: ClientCommand): void {
    const { sessions } = this.#deps
    if (command.method === 'pong') {
      if (!sessions.pong(session)) sessions.close(session, disconnects.badRequest)
      return
    }
    if (command.method === 'connect' ? session.phase !== 'new' : session.phase !== 'connected') {
      return sessions.close(session, disconnects.badRequest)
    }
    this.#command(session, command)
  }

  #command(session: Session, command: Exclude<ClientCommand, { method: 'pong' }>): void {
    switch (command.method) {
      case 'send':
        return this.#deps.sessions.close(session, disconnects.notAvailable)
      case 'connect':
        return this.#connect(session, command)
      case 'refresh':
        return this.#refresh(session, command)
      case 'subscribe':
        return this.#subscribe(session, command)
      case 'unsubscribe':
        return this.#unsubscribe(session, command)
      case 'publish':
        return this.#publish(session, command)
      case 'history':
        return this.#history(session, command)
      case 'rpc':
        return this.#rpc(session, command)
      case 'presence':
      case 'presence_stats':
      case 'sub_refresh':
        return this.#refuse(session, command.id, errors.notAvailable)
    }
  }

  #refuse(session: Session, id: number, error: ClientError): void {
    this.#deps.env.metrics.rejected.inc({ code: String(error.code) })
    this.#deps.output.send(session, { kind: 'error', id, error })
  }

  #connect(session: Session, { id, token }: CommandOf<'connect'>): void {
    const { config, env, sessions, output, intake, tokens } = this.#deps
    if (token === '' && !config.client.insecure) return sessions.close(session, disconnects.badRequest)
    if (token !== '') {
      const verdict = tokens.verify(token, env.clock.now())
      if ('refused' in verdict) {
        this.#refusals.refused('connect', session.id, verdict.fault)
        if (verdict.refused === 'invalid') return sessions.close(session, disconnects.invalidToken)
        // The connection is of no use any more; the client comes back with a new token.
        session.phase = 'refused'
        this.#refuse(session, id, errors.tokenExpired)
        return intake.drop(session)
      }
      if (verdict.identity.user === '' && config.client.disallow_anonymous_connection_tokens) {
        this.#refusals.refused('connect', session.id, 'no user')
        return sessions.close(session, disconnects.permissionDenied)
      }
      const { expiresAt, ...identity } = verdict.identity
      Object.assign(session, { ...identity, endsAt: endsAt(env.clock, expiresAt) })
    }
    sessions.connected(session)
    const result: ConnectResult = { client: session.id, version: this.#deps.version, ...this.#ttl(session) }
    // A client for whom it is 0 answers no pings; one that is told too little takes us for dead.
    result.ping = Math.ceil(config.client.ping_interval / 1000)
    result.pong = true
    output.send(session, { kind: 'reply', id, method: 'connect', result: JSON.stringify(result) })
    env.logger.debug({ session: session.id, address: session.address, user: session.user }, 'connected')
  }

  #refresh(session: Session, { id, token }: CommandOf<'refresh'>): void {
    const { env, sessions, output, tokens } = this.#deps
    if (token === '') return sessions.close(session, disconnects.badRequest)
    const verdict = tokens.verify(token, env.clock.now())
    if ('refused' in verdict) {
      this.#refusals.refused('refresh', session.id, verdict.fault)
      // SDKs take an error here for final; a connection that expired they open anew, with a new token.
      return sessions.close(session, verdict.refused === 'invalid' ? disconnects.invalidToken : disconnects.expired)
    }
    const { user, expiresAt, connInfo } = verdict.identity
    if (user !== session.user) return this.#misfit(session, 'refresh', 'another user')
    Object.assign(session, { connInfo, endsAt: endsAt(env.clock, expiresAt) })
    const result: ConnectResult = { client: session.id, version: this.#deps.version, ...this.#ttl(session) }
    output.send(session, { kind: 'reply', id, method: 'refresh', result: JSON.stringify(result) })
  }

  /** A good token in the wrong hands, or in the wrong place. */
  #misfit(session: Session, command: string, reason: TokenMisfit): void {
    this.#refusals.refused(command, session.id, reason)
    this.#deps.sessions.close(session, disconnects.invalidToken)
  }

  #ttl(session: Session): { expires?: true; ttl?: number } {
    if (session.endsAt === 0) return {}
    const seconds = Math.ceil((session.endsAt - this.#deps.env.clock.monotonic()) / 1000)
    return { expires: true, ttl: Math.min(Math.max(1, seconds), ttlSecondsMax) }
  }

  #subscribe(session: Session, command: CommandOf<'subscribe'>): void {
    const { config, hub, output, sessions, subscriptions } = this.#deps
    const { id, channel, token } = command
    if (channel === '' || !deltas.has(command.delta)) return sessions.close(session, disconnects.badRequest)
    session.wanted.delete(channel)
    const invalid = this.#namespaces.invalid(channel)
    if (invalid) return this.#refuse(session, id, invalid)
    const grant = token === '' ? null : this.#grant(session, command)
    if (grant === 'refused') return
    const refusal = this.#namespaces.refusal(session, channel, 'subscribe', grant !== null) ?? kindRefusal(command)
    if (refusal) return this.#refuse(session, id, refusal)
    if (session.channels.has(channel)) return this.#refuse(session, id, errors.alreadySubscribed)
    const options = this.#namespaces.optionsOf(channel)!
    if (!subscriptions.add(session, channel)) return this.#refuse(session, id, errors.limitExceeded)
    // As in Centrifugo: whoever may read the history could find out all of it anyway.
    const mayRead = this.#namespaces.refusal(session, channel, 'history') === null
    const isRecoverable =
      isHistoryOn(options) && (options.force_recovery || (command.recoverable && (options.allow_recovery || mayRead)))
    const isPositioned = options.force_positioning || (command.positioned && (options.allow_positioning || mayRead))
    const started = this.#deps.env.clock.monotonic()
    hub.subscribe(session, channel, {
      recover: isRecoverable ? command.recover : null,
      rejectUnrecovered: command.rejectUnrecovered,
      isRecoverable,
      isPositioned: isRecoverable || isPositioned,
      wasRecovering: command.recover !== null,
      history: { size: options.history_size, ttlMs: options.history_ttl },
      done: (outcome) => {
        if ('error' in outcome) {
          subscriptions.delete(session, channel)
          if (outcome.error.temporary) wantAgain(session, channel, config.client.channel_limit)
          else session.wanted.delete(channel)
          this.#refuse(session, id, outcome.error)
        } else {
          endWith(session, channel, grant, this.#deps.env.clock)
          output.send(session, { kind: 'subscribed', id, ...outcome })
        }
        this.#measure('subscribe', '', 'error' in outcome ? outcome.error : null, started)
      },
    })
  }

  /** What the token of a subscribe allows; one that is refused has been answered. */
  #grant(session: Session, { id, channel, token }: CommandOf<'subscribe'>): Grant | 'refused' {
    const { env, tokens } = this.#deps
    const verdict = tokens.verifySubscription(token, env.clock.now())
    if ('refused' in verdict) {
      this.#refusals.refused('subscribe', session.id, verdict.fault)
      this.#refuse(session, id, verdict.refused === 'invalid' ? errors.permissionDenied : errors.tokenExpired)
      return 'refused'
    }
    const misfit = misfitOf(verdict.grant, session, channel)
    if (misfit === null) return verdict.grant
    this.#misfit(session, 'subscribe', misfit)
    return 'refused'
  }

  #unsubscribe(session: Session, { id, channel }: CommandOf<'unsubscribe'>): void {
    const { hub, output, sessions, subscriptions } = this.#deps
    if (channel === '') return sessions.close(session, disconnects.badRequest)
    if (!this.#namespaces.isName(channel)) return this.#refuse(session, id, errors.badRequest)
    if (subscriptions.delete(session, channel)) hub.leave(session, channel)
    session.wanted.delete(channel)
    output.send(session, { kind: 'reply', id, method: 'unsubscribe', result: '{}' })
  }

  #publish(session: Session, { id, channel, data }: CommandOf<'publish'>): void {
    if (channel === '') return this.#deps.sessions.close(session, disconnects.badRequest)
    if (data === null) return this.#refuse(session, id, errors.badRequest)
    const refusal = this.#namespaces.refusal(session, channel, 'publish')
    if (refusal) return this.#refuse(session, id, refusal)
    this.#forward(session, id, 'publish', 'publish', channel, data, false)
  }

  #history(session: Session, command: CommandOf<'history'>): void {
    const { id, channel, limit, since, reverse } = command
    if (channel === '') return this.#deps.sessions.close(session, disconnects.badRequest)
    const refusal = this.#namespaces.refusal(session, channel, 'history')
    if (refusal) return this.#refuse(session, id, refusal)
    if (!isHistoryOn(this.#namespaces.optionsOf(channel)!)) return this.#refuse(session, id, errors.notAvailable)
    const { recovery_max_publication_limit: recovered, history_max_publication_limit: shown } = this.#deps.config.client
    const most = Math.min(recovered, shown)
    const query = { limit: limit < 0 ? most : Math.min(limit, most), since, reverse }
    this.#forward(session, id, 'history', 'history', channel, JSON.stringify(query), true)
  }

  #rpc(session: Session, { id, name, data }: CommandOf<'rpc'>): void {
    const { calls } = this.#deps
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined
    if (!call) return this.#refuse(session, id, errors.notAvailable)
    const channel = (JSON.parse(data) as Record<string, unknown> | null)?.[call.channelIn]
    if (typeof channel !== 'string' || channel === '') return this.#refuse(session, id, errors.badRequest)
    const refusal = this.#namespaces.refusal(session, channel, call.permission)
    if (refusal) return this.#refuse(session, id, refusal)
    this.#forward(session, id, 'rpc', name, channel, data, call.isRead)
  }

  /** Sends a command to its slot and answers the client with what comes of it. */
  #forward(
    session: Session,
    id: number,
    reply: 'publish' | 'history' | 'rpc',
    method: string,
    channel: string,
    payload: string,
    isRead: boolean,
  ): void {
    const { env, uplink, reads, output } = this.#deps
    // Nothing is read for one who does not take what was read before.
    if (isRead && output.isFull(session)) return this.#refuse(session, id, errors.tooManyRequests)
    const options = this.#namespaces.optionsOf(channel)!
    const started = env.clock.monotonic()
    const request: Request = {
      method,
      channel,
      session: session.id,
      user: session.user,
      connInfo: session.connInfo,
      history: { size: options.history_size, ttlMs: options.history_ttl },
      payload: Buffer.from(payload),
      isRead,
      isExempt: false,
      settle: (outcome) => {
        if (!isRead && !outcome.error) env.metrics.published.inc({ destination_version: outcome.version })
        // By now it may be so; what was done is said whatever waits.
        const error = isRead && output.isFull(session) ? errors.tooManyRequests : outcome.error
        output.send(
          session,
          error
            ? { kind: 'error', id, error: clientError(error) }
            : { kind: 'reply', id, method: reply, result: result(reply, outcome) },
        )
        this.#measure(method, outcome.version, error, started)
      },
    }
    const refused = isRead ? reads.send(session, request) : uplink.send(request)
    if (refused !== null && typeof refused !== 'number') this.#refuse(session, id, refused)
  }

  /** To be called after the reply was sent. */
  #measure(method: string, version: string, error: { code: number } | null, started: number): void {
    const { env, output } = this.#deps
    const { metrics, clock } = env
    const labels = { method, destination_version: version, result: error ? String(error.code) : 'ok' }
    metrics.commands.inc(labels)
    output.whenWritten(() => metrics.commandDuration.observe(labels, (clock.monotonic() - started) / 1000))
  }
}

function misfitOf(grant: Grant, session: Session, channel: string): TokenMisfit | null {
  if (grant.channel !== channel) return 'another channel'
  if (grant.user !== session.user) return 'another user'
  return grant.client === '' || grant.client === session.id ? null : 'another client'
}

/** The subscription lasts as long as what granted it. */
function endWith(session: Session, channel: string, grant: Grant | null, clock: Clock): void {
  if (grant === null || grant.expiresAt === 0) return void session.subscriptionEnds?.delete(channel)
  session.subscriptionEnds ??= new Map()
  session.subscriptionEnds.set(channel, endsAt(clock, grant.expiresAt))
}

function result(reply: 'publish' | 'history' | 'rpc', { body }: Outcome): string {
  return reply === 'rpc' ? `{"data":${body.toString()}}` : body.toString()
}

/** Ways to send publications that the protocol knows; asking for one says only that the client could take it. */
const deltas = new Set(['', 'fossil'])
/** Kinds of subscriptions. */
const kinds = { stream: 0, sharedPoll: 4 }

/** A subscription that is another one than was asked for would be wrong without a word. */
function kindRefusal({ type, isFiltered }: CommandOf<'subscribe'>): ClientError | null {
  if (type === kinds.sharedPoll) return errors.notAvailable
  if (type !== kinds.stream) return errors.permissionDenied
  return isFiltered ? errors.badRequest : null
}

/** Codes of the worker as clients know them; only these two may be tried again as they are. */
function clientError(error: { code: number; message: string }): ClientError {
  const temporary = error.code === errors.internal.code || error.code === errors.tooManyRequests.code
  return temporary ? { ...error, temporary } : error
}
