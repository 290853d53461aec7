import type { Static } from 'typebox'
import { Type } from '../schema/type.ts'
import { parseDuration } from './duration.ts'
import { patternLengthMax } from './pattern.ts'

/**
 * The one description of every setting: types, defaults, bounds, environment names, flags, help and docs all come from
 * here. Durations are texts (`25s`) wherever a person writes them and milliseconds in the decoded configuration.
 * Names that mean what one of Centrifugo means are Centrifugo's.
 */

function durationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new Error(`not a duration: ${text}`)
  return ms
}

/** Slots of a cluster at most: one worker may have to own, and to announce, all of them. */
export const slotsMax = 1_024

const text = (initial: string, description: string) => Type.String({ default: initial, description })

/** A value that is never printed and never a flag; `NAME_FILE` in the environment names a file that holds it. */
const secret = (description: string) => Type.String({ default: '', description, secret: true })

/** Empty stands for `embedded:` and the data directory. Only the password in it is a secret. */
const url = (description: string) => Type.String({ default: '', description, url: true })

/** A regular expression of Go's syntax. */
const regex = (description: string) =>
  Type.String({
    default: '',
    description: `${description} A regular expression (RE2); \`^\` and \`$\` for the whole of it.`,
    maxLength: patternLengthMax,
    allowed: `a regular expression (RE2) of at most ${patternLengthMax} characters`,
  })

const toggle = (initial: boolean, description: string) => Type.Boolean({ default: initial, description })

const integer = (initial: number, [minimum, maximum]: [number, number], description: string) =>
  Type.Integer({ default: initial, minimum, maximum, description })

const duration = (initial: string, [minimum, maximum]: [string, string], description: string) =>
  Type.Integer({
    default: durationMs(initial),
    minimum: durationMs(minimum),
    maximum: durationMs(maximum),
    description,
    duration: true,
  })

const permission = (whom: string) => toggle(false, `Allow ${whom}.`)

const channelOptions = {
  allow_subscribe_for_client: permission('authenticated clients to subscribe'),
  allow_subscribe_for_anonymous: permission('clients without a user id to subscribe, where clients may'),
  allow_publish_for_subscriber: permission('subscribers of a channel to publish in it'),
  allow_publish_for_client: permission('authenticated clients to publish without a subscription'),
  allow_publish_for_anonymous: permission('clients without a user id to publish, where clients may'),
  allow_history_for_subscriber: permission('subscribers of a channel to read its history'),
  allow_history_for_client: permission('authenticated clients to read history without a subscription'),
  allow_history_for_anonymous: permission('clients without a user id to read history, where clients may'),
  history_size: integer(0, [0, 1_000_000], 'Publications that history and recovery reach back; 0 turns both off.'),
  history_ttl: duration('0s', ['0s', '8760h'], 'Age up to which history and recovery reach back; 0s turns both off.'),
  allow_recovery: toggle(
    false,
    'Clients may ask to recover what they missed; who may read history may anyway. Needs history_size and history_ttl.',
  ),
  allow_positioning: toggle(
    false,
    'Clients may ask to be told when they miss a publication; who may read history may anyway.',
  ),
  force_recovery: toggle(false, 'Every subscription can recover what it missed; needs history_size and history_ttl.'),
  allow_user_limited_channels: toggle(
    true,
    'A name with channel.user_boundary is for the users that stand behind it (`dialog#42,43`): they may subscribe, nobody else may subscribe, publish or read there. Off: an ordinary name.',
  ),
  channel_regex: regex('What the rest of a name must contain a match of, or error 107. Empty: any name.'),
  subscription_type: Type.String({
    default: '',
    description:
      'Kind of subscription that the namespace offers. Only streams exist here: with another kind nobody may subscribe.',
    pattern: '^(|stream|map|map_clients|map_users|shared_poll)$',
    allowed: 'stream, map, map_clients, map_users or shared_poll; empty for stream',
  }),
  force_positioning: toggle(false, 'Every subscription is told when it misses a publication.'),
}

const namespace = Type.Object({
  name: Type.String({
    default: '',
    description: 'What stands before the `:` of its channels.',
    pattern: '^[-a-zA-Z0-9_.]{2,64}$',
    allowed: '2 to 64 letters, digits, "-", "_" or "."',
  }),
  ...channelOptions,
})

const slotGroup = Type.Object({
  name: Type.String({
    default: '',
    description: 'Of the group: its slots are `NAME/0` and on, its commands the topic `holdfast.commands.NAME`.',
    pattern: '^(?!default$)[a-zA-Z0-9][-a-zA-Z0-9_]{0,62}$',
    allowed:
      '1 to 63 letters, digits, "-" or "_", a letter or digit first; not "default", whose slots are topics.slots',
  }),
  slots: integer(8, [1, slotsMax], 'Slots of the group. Fixed once the cluster has started with it.'),
  namespaces: Type.Array(Type.String({ minLength: 1 }), {
    default: [],
    description: 'Namespaces whose channels it has. One that was used belongs to its group for good.',
  }),
})

/**
 * Every key with its default, what is allowed and what it does. Types, checks, flags and docs/configuration.md are made
 * from it.
 */
export const configSchema = Type.Object({
  data_dir: Type.String({
    default: '.holdfast',
    description: 'Directory of the embedded log and store, and of secrets that were made.',
    minLength: 1,
    allowed: 'a path',
  }),
  log: url('Where the log is: `kafka://HOST:PORT,…/PREFIX` or `embedded:DIRECTORY`. Empty: `embedded:` and data_dir.'),
  store: url(
    'Where the store is: `mysql://USER:PASSWORD@HOST/DATABASE` or `embedded:DIRECTORY`. Empty: `embedded:` and data_dir.',
  ),
  log_level: Type.Enum(['silent', 'error', 'warn', 'info', 'debug'], {
    default: 'info',
    description: 'Least important log lines that are still written.',
  }),
  http_server: Type.Object({
    address: text('127.0.0.1', 'Interface that a proxy listens on for clients.'),
    port: integer(8000, [0, 65_535], 'Port that a proxy listens on for clients; 0 takes a free one.'),
    proxy_protocol: toggle(
      false,
      'A balancer stands in front of the proxy: every connection begins with a PROXY protocol header, version 1 or 2.',
    ),
    proxy_protocol_trusted: Type.Array(Type.String({ minLength: 1 }), {
      default: ['127.0.0.0/8', '::1'],
      description:
        'Addresses and networks of the balancers. Whoever is in it can claim any client address; others are refused.',
    }),
    advertise_address: Type.String({
      default: '',
      description:
        'Host that others are told to reach this process at, in `holdfast proxies` and to Prometheus. Empty: what it listens on; where that is every interface, the address of the first.',
      pattern: String.raw`^(?!0\.0\.0\.0$|::$)([A-Za-z0-9._-]*|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)$`,
      allowed: 'a host name or an address that others can reach, without a port',
    }),
    internal_address: text(
      '127.0.0.1',
      'Interface of the internal listener (health, readiness, metrics) of any process.',
    ),
    internal_port: integer(
      0,
      [0, 65_535],
      'Port of the internal listener; 0 takes a free one, as `holdfast dev` always does.',
    ),
  }),
  controller: Type.Object({
    address: text('127.0.0.1', 'Interface of the controller and its API.'),
    port: integer(8080, [1, 65_535], 'Port of the controller. The command line finds the cluster here.'),
    token: secret(
      'Bearer token of the API that reads and writes. Empty: one is made and kept in data_dir/controller.token.',
    ),
    read_token: secret(
      'Bearer token of the API that only reads. Empty: one is made and kept in data_dir/controller.read_token.',
    ),
    allowed_hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      default: [],
      description:
        'Names by which the API may be called (`Host`), without a port, beside localhost, any address, controller.address and http_server.advertise_address. A page of a foreign site that has its name point here is refused.',
    }),
    death_time: duration('1200ms', ['100ms', '10m'], 'Silence after which a worker counts as dead.'),
    proxy_death_time: duration('10s', ['1s', '1h'], 'Silence after which a proxy is declared dead for good.'),
    parallel_handoffs: integer(
      1,
      [1, 1_024],
      'Slots that are moved at the same time. More end a drain sooner and make each room wait longer.',
    ),
  }),
  client: Type.Object({
    token: Type.Object({
      hmac_secret_key: secret(
        'Secret of connection and subscription tokens (HS256); 32 bytes or more. `holdfast dev` makes one when empty.',
      ),
      leeway: duration(
        '10s',
        ['0s', '10m'],
        'Difference between the clocks of whoever signs tokens and of a proxy; `exp`, `nbf` and `iat` may be off by it.',
      ),
      audience: text('', 'What `aud` of every token must be or contain. Empty: any.'),
      audience_regex: regex('What one of `aud` must contain a match of. Excludes audience. Empty: any.'),
      issuer: text('', 'What `iss` of every token must be. Empty: any.'),
      issuer_regex: regex('What `iss` must contain a match of. Excludes issuer. Empty: any.'),
      user_id_claim: Type.String({
        default: '',
        description: 'Claim that holds the user id, a text or a whole number. Empty: `sub`.',
        pattern: '^[a-zA-Z_]{0,64}$',
        allowed: 'letters and "_", at most 64',
      }),
    }),
    insecure: toggle(
      false,
      'Let clients in without a token and allow them everything. For experiments only: `Host` must name this machine, or `Origin` be in allowed_origins.',
    ),
    disallow_anonymous_connection_tokens: toggle(false, 'Refuse connection tokens that name no user, with 3507.'),
    allowed_origins: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Origins whose pages may connect, such as `https://chat.example.com` or `https://*.example.com`; `*` is any. Empty: only the origin that the proxy itself serves.',
    }),
    ping_interval: duration(
      '25s',
      ['1s', '1h'],
      'Time between two pings to a client, who is told in whole seconds how long that is (rounded up).',
    ),
    pong_timeout: duration('8s', ['500ms', '1h'], 'Time to answer a ping; shorter than client.ping_interval.'),
    stale_close_delay: duration('10s', ['100ms', '1h'], 'Time that a connection has to authenticate itself.'),
    expired_close_delay: duration('25s', ['0s', '1h'], 'Time that a client has to refresh an expired token.'),
    expired_sub_close_delay: duration(
      '25s',
      ['0s', '1h'],
      'Time that a subscription outlives the end of its token; then the client is told to subscribe anew (2501).',
    ),
    channel_limit: integer(128, [1, 100_000], 'Channels that one client may be subscribed to.'),
    user_channel_limit: integer(
      2_000,
      [0, 10_000_000],
      'Subscriptions that all connections of one user have at one proxy, never fewer than one connection may; 0 for any number.',
    ),
    queue_max_size: integer(
      1_048_576,
      [1_024, 1_073_741_824],
      'Bytes that may wait for one client. With more it gets publications when it has taken those, its reads are refused (111), and it is closed (3008) when it takes nothing for client.pong_timeout.',
    ),
    connection_limit: integer(
      0,
      [0, 10_000_000],
      'Clients that one proxy takes at most; 0 for as many as the process may open files for. A proxy turns unready at 95% of it.',
    ),
    address_connection_limit: integer(
      0,
      [0, 10_000_000],
      'Connections that one client address may have at a proxy; 0 for any number. Many clients share one behind NAT or a balancer. An IPv6 address stands for its /64.',
    ),
    address_connection_rate: integer(
      0,
      [0, 1_000_000],
      'New connections per second that one client address may open in the long run; 0 for any number.',
    ),
    address_connection_burst: integer(50, [1, 1_000_000], 'New connections that one client address may open at once.'),
    command_rate: integer(
      100,
      [1, 1_000_000],
      'Commands per second that one client may send in the long run; each 4 KiB of a long one count. What is more waits unread, and after four seconds without a break ends in 3013.',
    ),
    command_burst: integer(
      200,
      [1, 1_000_000],
      'Commands that one client may send at once, beside the subscribes with which it comes back: those may be client.channel_limit.',
    ),
    read_rate: integer(
      1_000_000,
      [1_000, 1_000_000_000],
      'Bytes per second of history, messages and what it missed that one client may read in the long run; what goes beyond waits, and what it asked for and waits too long gets an error that is temporary.',
    ),
    read_burst: integer(
      2_000_000,
      [1_000, 1_000_000_000],
      'Bytes of history, messages and what it missed that one client may read at once.',
    ),
    reply_deadline: duration('4500ms', ['50ms', '1h'], 'Time after which a command without a reply gets error 100.'),
    recovery_max_publication_limit: integer(
      300,
      [1, 100_000],
      'Publications that one recovery may bring, and that one history reply holds at most.',
    ),
    history_max_publication_limit: integer(
      300,
      [1, 100_000],
      'Publications that one history reply holds at most, where recovery_max_publication_limit allows more.',
    ),
  }),
  channel: Type.Object({
    max_length: integer(255, [1, 255], 'Characters of a channel name, counted as UTF-16 code units.'),
    private_prefix: text('$', 'What names of channels begin with that need a subscription token. Empty: none do.'),
    namespace_boundary: text(':', 'What parts the namespace from the rest of a name. Empty: no channel has one.'),
    user_boundary: text(
      '#',
      'What stands in a name before the users that it is limited to (allow_user_limited_channels). Empty: no name is.',
    ),
    user_separator: text(',', 'What parts these users. Empty: there is one.'),
    without_namespace: Type.Object(channelOptions),
    namespaces: Type.Array(namespace, {
      default: [],
      description: 'A list of namespaces: each has a name and the options of channel.without_namespace.',
      allowed: 'a list of namespaces',
    }),
  }),
  websocket: Type.Object({
    message_size_limit: integer(65_536, [128, 900_000], 'Bytes of one message from a client.'),
    json_depth_limit: integer(64, [2, 1_000], 'Nesting of JSON in a message from a client.'),
  }),
  proxy: Type.Object({
    in_flight_max: integer(
      65_536,
      [4, 1_000_000],
      'Commands of one proxy on their way in one slot, of which one channel may have a quarter; over it, error 111.',
    ),
    in_flight_bytes_max: integer(
      268_435_456,
      [16_777_216, 17_179_869_184],
      'Bytes of the commands of one proxy on their way. One slot may have a quarter, one channel a quarter of that; over it, error 111.',
    ),
    position_check_interval: duration(
      '25s',
      ['100ms', '1h'],
      'Time between two checks that open channels missed nothing.',
    ),
    isolation_timeout: duration(
      '60s',
      ['1s', '24h'],
      'Time without its own heartbeats after which a proxy closes its clients.',
    ),
    heartbeat_interval: duration('1s', ['50ms', '1m'], 'Time between two heartbeats of a proxy.'),
  }),
  worker: Type.Object({
    version: Type.String({
      default: 'v1',
      description: 'Version of the worker.',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$',
      allowed: '1 to 63 letters, digits, ".", "_", "+" or "-", a letter or digit first',
    }),
    app: Type.String({
      default: 'chat',
      description: 'The app: `chat`, or a path to a module.',
      minLength: 1,
      allowed: '"chat" or a path to a module',
    }),
    batch_max: integer(500, [1, 10_000], 'Records that one transaction handles at most.'),
    cache_channels_max: integer(10_000, [1, 10_000_000], 'Channels whose state one worker keeps in memory.'),
    heartbeat_interval: duration('400ms', ['20ms', '1m'], 'Time between two heartbeats of a worker.'),
    quiesce_timeout: duration('2s', ['10ms', '1m'], 'Time that a worker has to finish a batch when its slot moves.'),
    lane_backlog_max: integer(
      67_108_864,
      [1_048_576, 17_179_869_184],
      'Bytes of events waiting for one inbox partition.',
    ),
    reads_max: integer(16, [1, 1_024], 'Reads (history, messages) of one worker at the same time.'),
  }),
  topics: Type.Object({
    slots: integer(
      0,
      [0, slotsMax],
      'Slots of the default group; 0 stands for 64 on Kafka, 16 embedded. Fixed once the cluster has started.',
    ),
    groups: Type.Array(slotGroup, {
      default: [],
      description: `A list of slot groups beside the default one, which has all other channels: a version of the workers can have the rooms of one and no others. All groups have ${slotsMax} slots at most.`,
      allowed: 'a list of slot groups',
    }),
    inbox_partitions: integer(16, [1, 1_024], 'Partitions of the inbox topic. Fixed once the cluster has started.'),
    retention: duration(
      '1h',
      ['30s', '8760h'],
      'Time that commands are kept after they were handled; `holdfast dev` keeps them for 1m. A store that goes back in time by less loses nothing. What proxies have read is kept for twice controller.proxy_death_time at most.',
    ),
  }),
  faults: Type.Object({
    enabled: Type.Enum(['auto', 'on', 'off'], {
      default: 'auto',
      description:
        'Whether faults may be set (`holdfast fault`): `auto` only in `holdfast dev`. Elsewhere each one must expire. Processes where it is off reject what is set.',
    }),
  }),
  engine: Type.Object({
    sync: Type.Enum(['normal', 'full'], {
      default: 'normal',
      description: 'What the embedded engine survives: `normal` any crash of a process, `full` also a loss of power.',
    }),
  }),
  shutdown: Type.Object({
    timeout: duration('10s', ['100ms', '1h'], 'Time that a process has to stop in order.'),
    jitter: duration('2s', ['0s', '1h'], 'Time over which a stopping proxy spreads the closing of its clients.'),
  }),
  dev: Type.Object({
    workers: integer(2, [1, 64], 'Workers that `holdfast dev` starts.'),
    proxies: integer(
      1,
      [1, 64],
      'Proxies that `holdfast dev` starts; the first listens on http_server.port, the others on free ports.',
    ),
    active: Type.Boolean({
      default: false,
      description: 'True in the processes of `holdfast dev`, where the chat page and its token endpoint are served.',
      internal: true,
    }),
  }),
})

/** The decoded configuration: every key present, durations in milliseconds. */
export type Config = Static<typeof configSchema>
