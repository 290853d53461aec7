import type { Env } from '../cluster/env.ts'
import { ChannelSlots } from '../cluster/slot-groups.ts'
import type { Config } from '../config/config.ts'
import type { App } from '../protocol/app/contract.ts'
import { partitionOf } from '../protocol/partition.ts'
import { emptyPayload } from '../protocol/records/envelope.ts'
import { parseSlot } from '../protocol/slot.ts'
import { Namespaces } from './access/namespaces.ts'
import { TokenRefusals } from './access/token-refusals.ts'
import { TokenVerifier } from './access/tokens.ts'
import { Hub } from './channels/hub.ts'
import { channelOf } from './commands/channel-of.ts'
import type { Context } from './commands/context.ts'
import { Forwarding } from './commands/forwarding.ts'
import { perform } from './commands/gate.ts'
import { Intake } from './commands/intake.ts'
import { ReadGate } from './commands/read-gate.ts'
import { refuse } from './commands/refuse.ts'
import { failed, joined } from './commands/subscribe.ts'
import { Dispatcher } from './dispatcher.ts'
import { Inbox } from './inbox.ts'
import { AddressLimits } from './sessions/address-limits.ts'
import { Output } from './sessions/output.ts'
import { ReadBudget } from './sessions/read-budget.ts'
import { wantAgain } from './sessions/session.ts'
import { Sessions } from './sessions/sessions.ts'
import type { SessionsOptions } from './sessions/sessions.ts'
import { Subscriptions } from './sessions/subscriptions.ts'
import { Uplink } from './uplink/uplink.ts'

/** Whose parts they are. */
export interface AssembleOptions {
  config: Config
  /** What clients may call of the app, by name. */
  calls: App['calls']
  /** Of the software; clients are told. */
  version: string
  /** Whose inbox it is. */
  instance: string
  /** Who numbers the commands. */
  producer: string
  /** The controller has declared this instance dead. */
  retired: () => void
}

/** The parts of a proxy that its life has to do with; the others are behind them. */
export interface Parts {
  limits: AddressLimits
  sessions: Sessions
  intake: Intake
  reads: ReadGate
  uplink: Uplink
  inbox: Inbox
  hub: Hub
}

/**
 * Puts a proxy together. In: a transport, intake, the gate, a command, forwarding, uplink, the log. Out: the log, inbox,
 * dispatcher, uplink and hub, output, a transport. Nothing runs yet.
 */
export function assemble(env: Env, options: AssembleOptions): Parts {
  const { config, calls, version, instance, producer } = options
  const { client } = config
  const limits = new AddressLimits(env.clock, {
    connections: client.address_connection_limit,
    rate: client.address_connection_rate,
    burst: client.address_connection_burst,
  })
  const output = new Output(env, {
    queueMaxBytes: client.queue_max_size,
    stallMs: client.pong_timeout,
    close: (session, why) => sessions.close(session, why),
    overflowed: (session, channel, waits) => hub.overflowed(session, channel, waits),
    room: (session) => hub.roomFor(session),
    placeOf: (channel) => placeOf(channel),
  })
  const placeOf = (channel: string | undefined) =>
    channel === undefined ? {} : { channel, group: parseSlot(uplink.slotOf(channel)).group }
  const subscriptions = new Subscriptions(client.channel_limit, client.user_channel_limit)
  const ends = sessionsOptions(config, () => hub)
  const sessions = new Sessions(env, ends, limits, subscriptions, output)
  const slots = new ChannelSlots(config)
  const uplink = new Uplink(env, {
    instance,
    producer,
    slotOf: (channel) => slots.of(channel),
    inFlight: { commands: config.proxy.in_flight_max, bytes: config.proxy.in_flight_bytes_max },
    replyDeadlineMs: client.reply_deadline,
    settled: (work, n, outcome) => {
      if (work.for === 'client') forwarding.answered(work, outcome)
      else hub.settled(work, n, outcome)
    },
  })
  const budget = new ReadBudget(env.clock, { rate: client.read_rate, burst: client.read_burst })
  const reads = new ReadGate(env, uplink, budget, {
    deadlineMs: client.reply_deadline,
    refused: (work, error) => forwarding.tell(work, { error, body: emptyPayload, version: '' }),
  })
  const namespaces = new Namespaces(config)
  const forwarding = new Forwarding({ env, namespaces, uplink, reads, output, sessions })
  const hub = new Hub(env, uplink, output, budget, {
    replyDeadlineMs: client.reply_deadline,
    recoveryLimit: client.recovery_max_publication_limit,
    joined: (channel, joining, result, publications) => joined(context, channel, joining, result, publications),
    failed: (channel, joining, error) => failed(context, channel, joining, error),
    dropped: (session, channel) => {
      subscriptions.delete(session, channel)
      wantAgain(session, channel, client.channel_limit)
    },
  })
  const intake = new Intake(
    env,
    {
      rate: client.command_rate,
      burst: client.command_burst,
      freeSubscribes: client.channel_limit,
      jsonDepthLimit: config.websocket.json_depth_limit,
    },
    {
      perform: (session, command) => perform(context, session, command),
      close: (session, why) => sessions.close(session, why),
      refuse: (session, id, error) => refuse(context, session, id, error),
      placeOf: (command) => placeOf(channelOf(command, calls)),
    },
  )
  const tokens = new TokenVerifier(client)
  const refusals = new TokenRefusals(env)
  const parts = { hub, subscriptions, output, sessions, intake, forwarding, namespaces, tokens, refusals }
  const context: Context = { env, config, calls, version, ...parts }
  const inbox = new Inbox(env, {
    instance,
    partition: partitionOf(instance, config.topics.inbox_partitions),
    uplink,
    dispatcher: new Dispatcher(uplink, hub),
    retired: options.retired,
  })
  return { limits, sessions, intake, reads, uplink, inbox, hub }
}

/** How time ends sessions and subscriptions, and what happens to their channels then. */
function sessionsOptions({ client }: Config, hub: () => Hub): SessionsOptions {
  const { leeway } = client.token
  return {
    pingIntervalMs: client.ping_interval,
    pongTimeoutMs: client.pong_timeout,
    staleCloseDelayMs: client.stale_close_delay,
    // What a token may be late by when it is shown, it may be late by afterwards.
    expiredCloseDelayMs: client.expired_close_delay + leeway,
    expiredSubCloseDelayMs: client.expired_sub_close_delay + leeway,
    leave: (session, channel) => hub().leave(session, channel),
    endSubscription: (session, channel, reason) => hub().end(session, channel, reason),
  }
}
