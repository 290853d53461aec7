/**
 * Proves how a configuration comes to be: the order of the sources, what each source may hold, that whatever is wrong
 * is one line naming the key, the place and the way out, and that a file written for Centrifugo loads.
 */
import { writeFileSync } from 'node:fs'
import * as fc from 'fast-check'
import t from 'tap'
import { stringify } from 'yaml'
import { formatDuration } from '../../config/duration.ts'
import { ConfigError } from '../../config/errors.ts'
import { configKeys, defaultConfig, getPath, setPath } from '../../config/keys.ts'
import type { ConfigKey } from '../../config/keys.ts'
import { loadConfig } from '../../config/load.ts'
import type { LoadOptions } from '../../config/load.ts'

const none: LoadOptions = { env: {}, flags: {}, cwd: t.testdir({ empty: {} }) }

function load(options: Partial<LoadOptions>) {
  return loadConfig({ ...none, ...options })
}

function errorOf(options: Partial<LoadOptions>): string {
  try {
    load(options)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('nothing was wrong')
}

void t.test('without any source every key has its default', async (t) => {
  t.same(load({}), { config: defaultConfig(), warnings: [] })
  const { config } = load({})
  t.equal(config.http_server.port, 8000)
  t.equal(config.controller.death_time, 1_200)
  t.equal(config.channel.without_namespace.allow_subscribe_for_client, false)
})

void t.test('a later source wins: file, environment, flags', async (t) => {
  const cwd = t.testdir({
    'holdfast.yaml': 'http_server:\n  port: 1001\n',
    'other.json': '{"http_server":{"port":1002}}',
  })
  const env = { HOLDFAST_HTTP_SERVER_PORT: '1003' }
  const flags = { 'http_server.port': '1004' }
  t.equal(load({ cwd }).config.http_server.port, 1001)
  t.equal(load({ cwd, file: 'other.json' }).config.http_server.port, 1002)
  t.equal(load({ cwd, env }).config.http_server.port, 1003)
  t.equal(load({ cwd, env, flags }).config.http_server.port, 1004)
})

void t.test('what is wrong is one line', async (t) => {
  const cwd = t.testdir({
    'unknown.yaml': 'http_server:\n  prt: 1\n',
    'section.yaml': 'http_server: 1\n',
    'list.yaml': '- 1\n',
    'broken.yaml': 'a: [1\n',
    'number.yaml': 'client:\n  ping_interval: 25\n',
    'twice.yaml': 'channel: {namespaces: [{name: staff}, {name: staff}]}\n',
    'nameless.yaml': 'channel: {namespaces: [{history_size: 1}]}\n',
    ...Object.fromEntries(
      Object.entries({
        unnamed: '[{namespaces: [staff]}]',
        default: '[{name: default, namespaces: [staff]}]',
        twin: '[{name: a, namespaces: [staff]}, {name: a, namespaces: [open]}]',
        unlisted: '[{name: a, namespaces: [stuff]}]',
        shared: '[{name: a, namespaces: [staff]}, {name: b, namespaces: [open, staff]}]',
        nobody: '[{name: a}]',
        many: '[{name: a, namespaces: [staff], slots: 1020}]',
        slip: '[{name: a, namespace: [staff]}]',
      }).map(([name, groups]) => [
        `group-${name}.yaml`,
        `channel: {namespaces: [{name: staff}, {name: open}]}\ntopics: {groups: ${groups}}\n`,
      ]),
    ),
    'recovery.yaml': 'channel: {namespaces: [{name: staff, force_recovery: true}]}\n',
  })
  const cases: [Partial<LoadOptions>, RegExp][] = [
    [
      { cwd, file: 'unknown.yaml' },
      /^http_server\.prt \(unknown\.yaml\): unknown key; the nearest is http_server\.port$/,
    ],
    [{ cwd, file: 'section.yaml' }, /^http_server \(section\.yaml\): a section/],
    [{ cwd, file: 'list.yaml' }, /^list\.yaml: a mapping/],
    [{ cwd, file: 'broken.yaml' }, /^broken\.yaml: .+/],
    [{ cwd, file: 'absent.yaml' }, /^absent\.yaml: ENOENT/],
    [{ cwd, file: 'number.yaml' }, /^client\.ping_interval \(number\.yaml\): 25 is not allowed; allowed: a duration/],
    [{ cwd, file: 'twice.yaml' }, /^channel\.namespaces\[1\]\.name .*twice/],
    [{ cwd, file: 'nameless.yaml' }, /^channel\.namespaces\[0\]\.name .*missing/],
    [{ cwd, file: 'group-unnamed.yaml' }, /^topics\.groups\[0\]\.name .*missing/],
    [{ cwd, file: 'group-default.yaml' }, /^topics\.groups\[0\]\.name .*"default" is not allowed; .*topics\.slots$/],
    [{ cwd, file: 'group-twin.yaml' }, /^topics\.groups\[1\]\.name .*a is there twice/],
    [{ cwd, file: 'group-unlisted.yaml' }, /^topics\.groups\[0\]\.namespaces: stuff is not in channel\.namespaces/],
    [{ cwd, file: 'group-shared.yaml' }, /^topics\.groups\[1\]\.namespaces: staff is in the group a already/],
    [{ cwd, file: 'group-nobody.yaml' }, /^topics\.groups\[0\]\.namespaces: a needs at least one namespace/],
    [{ cwd, file: 'group-many.yaml' }, /^topics\.groups: 1036 slots with those of default, at most 1024/],
    [
      { cwd, file: 'group-slip.yaml' },
      /^topics\.groups\[0\]\.namespace .*the nearest is topics\.groups\[0\]\.namespaces/,
    ],
    [{ cwd, file: 'recovery.yaml' }, /^channel\.namespaces\[0\]\.force_recovery: needs/],
    [
      { env: { HOLDFAST_HTTP_SERVER_PORT: '70000' } },
      /^http_server\.port \(HOLDFAST_HTTP_SERVER_PORT\): "70000".*from 0 to 65535$/,
    ],
    [
      { env: { HOLDFAST_HTTP_SERVER_ADVERTISE_ADDRESS: '0.0.0.0' } },
      /^http_server\.advertise_address \(.*"0\.0\.0\.0" is not allowed; allowed: a host name or an address/,
    ],
    [{ env: { HOLDFAST_LOG_LEVEL: 'loud' } }, /allowed: silent, error, warn, info, debug$/],
    [{ env: { HOLDFAST_CHANNEL_NAMESPACES: '{' } }, /^channel\.namespaces \(HOLDFAST_CHANNEL_NAMESPACES\)/],
    [{ env: { HOLDFAST_STORE: 'redis://u:hunter2@h/d' } }, /^store: allowed: embedded:DIRECTORY/],
    [{ env: { HOLDFAST_LOG: 'embedded:elsewhere' } }, /^store: .*set both or none$/],
    [
      { flags: { 'client.insecure': 'perhaps' } },
      /^client\.insecure \(--client\.insecure\): "perhaps".*true or false$/,
    ],
    // A client would be told 0, which stands for no pings at all.
    [
      { flags: { 'client.ping_interval': '300ms' } },
      /^client\.ping_interval .*"300ms" is not allowed; .* from 1s to 1h$/,
    ],
    [
      { flags: { 'client.pong_timeout': '30s' } },
      /^client\.pong_timeout: 30s must be shorter than client\.ping_interval, 25s$/,
    ],
  ]
  for (const [options, message] of cases) {
    const found = errorOf(options)
    t.match(found, message)
    t.notMatch(found, /\n|hunter2/)
  }
})

void t.test("Centrifugo's file loads; keys that only it has are warnings", async (t) => {
  const cwd = t.testdir({
    'holdfast.yaml': stringify({
      http_server: { port: '9000', internal_port: '', http3: { enabled: true } },
      log: { level: 'info' },
      engine: { type: 'redis', redis: { address: 'redis:6379' } },
      admin: { enabled: true },
      health: { enabled: false },
      client: {
        token: { hmac_secret_key: 'a'.repeat(32), audience: 'me', hmac_previous_secret_key: '' },
        allowed_origins: ['http://localhost:3000'],
      },
      channel: {
        without_namespace: { presence: true, history_ttl: '5m' },
        namespaces: [{ name: 'chat', history_size: 10, history_ttl: '300s', force_recovery: true, join_leave: true }],
      },
    }),
  })
  const { config, warnings } = load({ cwd })
  t.equal(config.http_server.port, 9000)
  t.equal(config.http_server.internal_port, 0, 'an empty port is none')
  t.equal(config.log, '')
  t.equal(config.client.token.audience, 'me')
  t.match(config.channel.namespaces, [{ name: 'chat', history_size: 10, history_ttl: 300_000, force_recovery: true }])
  const named = ['http_server.http3 ', 'log.level', 'engine.type', 'engine.redis ', 'admin ']
  for (const key of [...named, 'channel.without_namespace.presence', 'channel.namespaces[0].join_leave']) {
    t.ok(
      warnings.some((warning) => warning.startsWith(key)),
      `warns of ${key}`,
    )
  }
  t.equal(warnings.length, 7)
})

/** A file that sets one key, in Centrifugo's way. */
function setting(cwd: string, path: string, value: unknown): Partial<LoadOptions> {
  const [section, option] = path.split('[].')
  const tree = {}
  if (option === undefined) setPath(tree, path, value)
  else setPath(tree, section!, [{ name: 'staff', [option]: value }])
  writeFileSync(`${cwd}/a.json`, JSON.stringify(tree))
  return { cwd, file: 'a.json' }
}

void t.test('a key of Centrifugo that restricts or identifies is honoured or refused, never ignored', async (t) => {
  const cwd = t.testdir({ empty: {} })
  const refused: [path: string, values: unknown[]][] = [
    ['http_server.tls.enabled', [true, 'true']],
    ['http_server.tls_autocert.enabled', [true]],
    ['http_server.tls_external', [true]],
    ['http_server.internal_tls.enabled', [true]],
    ['websocket.disabled', [true]],
    ['client.token.rsa_public_key', ['-----BEGIN']],
    ['client.token.ecdsa_public_key', ['-----BEGIN']],
    ['client.token.jwks_public_endpoint', ['https://keys.example']],
    ['client.token.hmac_previous_secret_key', ['x'.repeat(32)]],
    ['client.subscription_token.enabled', [true]],
    ['client.user_id_http_header', ['X-User-Id']],
    ['client.proxy.connect.enabled', [true]],
    ['client.proxy.refresh.enabled', [true]],
    ['client.user_connection_limit', [1, '1']],
    ['client.connection_rate_limit', [1]],
    ['client.subscribe_to_user_personal_channel.single_connection', [true]],
    ['channel.publication_data_format', ['json_object']],
    ...['channel.without_namespace.', 'channel.namespaces[].'].flatMap((path): [string, unknown[]][] => [
      [`${path}publication_data_format`, ['json_object']],
      [`${path}subscribe_proxy_enabled`, [true]],
      [`${path}publish_proxy_enabled`, [true]],
      [`${path}sub_refresh_proxy_enabled`, [true]],
      [`${path}subscribe_stream_proxy_enabled`, [true]],
    ]),
  ]
  for (const [path, values] of refused) {
    for (const value of values) {
      const found = errorOf(setting(cwd, path, value))
      t.ok(found.startsWith(path.replace('[]', '[0]')), found)
      t.match(found, /restricts or identifies/)
      t.notMatch(found, /BEGIN|xxx/)
    }
    for (const nothing of [false, '', 0, null]) {
      t.same(load(setting(cwd, path, nothing)).warnings, [], `${path}: ${String(nothing)} asks for nothing`)
    }
  }
  t.same(load(setting(cwd, 'channel.namespaces[].publication_data_format', 'json')).warnings.length, 1)
  const honoured: [path: string, value: unknown][] = [
    ['client.token.audience', 'me'],
    ['client.token.audience_regex', '^me$'],
    ['client.token.issuer', 'them'],
    ['client.token.issuer_regex', '^them$'],
    ['client.token.user_id_claim', 'uid'],
    ['client.disallow_anonymous_connection_tokens', true],
    ['client.history_max_publication_limit', 5],
    ['client.connection_limit', 5],
    ['channel.private_prefix', '!'],
    ['channel.namespace_boundary', '/'],
    ['channel.user_boundary', '@'],
    ['channel.user_separator', ';'],
    ['channel.without_namespace.allow_user_limited_channels', false],
    ['channel.without_namespace.channel_regex', '^[a-z]+$'],
    ['channel.without_namespace.subscription_type', 'map'],
  ]
  for (const [path, value] of honoured) {
    const { config, warnings } = load(setting(cwd, path, value))
    t.same([getPath(config, path), warnings], [value, []], path)
    t.not(getPath(defaultConfig(), path), value)
  }
})

void t.test('what neither knows is a warning, what looks like a slip of the hand an error', async (t) => {
  const cwd = t.testdir({ empty: {} })
  const unknown = [
    'client_publish_debounce_interval',
    'user_status',
    'client.something_of_theirs',
    'channel.namespaces[].client_publish_debounce_interval',
    'x'.repeat(10_000),
    'line\nbreak',
  ]
  for (const path of unknown) {
    const { warnings } = load(setting(cwd, path, { enabled: true }))
    t.match(warnings, [/^[^\n]+ is no key of Holdfast or Centrifugo: ignored$/], path.slice(0, 60))
  }
  const slips: [written: string, meant: string][] = [
    ['http_server.prt', 'http_server.port'],
    ['http_server.prot', 'http_server.port'],
    ['cleint', 'client'],
    ['client.tokne.hmac_secret_key', 'client.token'],
    ['client.token.audiance', 'client.token.audience'],
    ['client.allowed_origin', 'client.allowed_origins'],
    ['allowed_origins', 'client.allowed_origins'],
    ['client.hmac_secret_key', 'client.token.hmac_secret_key'],
    ['channel.namespaces[].alow_subscribe_for_clients', 'channel.namespaces[0].allow_subscribe_for_client'],
    ['channel.namespaces[].histroy_size', 'channel.namespaces[0].history_size'],
    ['channel.namespaces[].channel_regexp', 'channel.namespaces[0].channel_regex'],
  ]
  for (const [written, meant] of slips) {
    t.match(errorOf(setting(cwd, written, {})), new RegExp(`the nearest is ${RegExp.escape(meant)}$`))
  }
})

void t.test('patterns and origins are checked at start', async (t) => {
  const cwd = t.testdir({ empty: {} })
  for (const path of ['client.token.audience_regex', 'channel.without_namespace.channel_regex']) {
    for (const pattern of ['(', '(?=a)', '(a)\\1', 'x'.repeat(1_001)]) {
      t.match(errorOf(setting(cwd, path, pattern)), new RegExp(`^${RegExp.escape(path)}`), pattern.slice(0, 20))
    }
  }
  const both = { HOLDFAST_CLIENT_TOKEN_ISSUER: 'a', HOLDFAST_CLIENT_TOKEN_ISSUER_REGEX: 'b' }
  t.match(errorOf({ env: both }), /^client\.token\.issuer_regex: set it or client\.token\.issuer, not both$/)
  t.match(errorOf(setting(cwd, 'client.token.user_id_claim', 'a.b')), /^client\.token\.user_id_claim /)
  const origin = errorOf(setting(cwd, 'client.allowed_origins', ['https://good.example', 'chat.example.com']))
  t.match(origin, /^client\.allowed_origins: chat\.example\.com: an origin begins with its scheme/)
})

void t.test('texts and lists in the environment', async (t) => {
  const env = {
    HOLDFAST_CLIENT_ALLOWED_ORIGINS: 'http://a.example, http://b.example',
    HOLDFAST_CHANNEL_NAMESPACES: '[{"name":"staff","history_ttl":"1m"}]',
    HOLDFAST_LOG_LEVEL: '',
  }
  const { config } = load({ env })
  t.same(config.client.allowed_origins, ['http://a.example', 'http://b.example'])
  t.match(config.channel.namespaces, [{ name: 'staff', history_ttl: 60_000, history_size: 0 }])
  t.equal(config.log_level, 'info', 'an empty variable sets nothing')
  const json = load({ env: { HOLDFAST_CLIENT_ALLOWED_ORIGINS: '["http://a.example"]' } })
  t.same(json.config.client.allowed_origins, ['http://a.example'])
  t.match(load({ env: { HOLDFAST_HTTP_SERVER_PRT: '1' } }).warnings, [/nearest variable is HOLDFAST_HTTP_SERVER_PORT/])
})

void t.test('secrets: from a file, and one warning for a short one', async (t) => {
  const cwd = t.testdir({ secret: `${'s'.repeat(40)}\n` })
  const fromFile = { HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY_FILE: `${cwd}/secret` }
  t.same(
    [load({ env: fromFile }).config.client.token.hmac_secret_key, load({ env: fromFile }).warnings],
    ['s'.repeat(40), []],
  )
  const short = load({ env: { HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: 'hunter2' } })
  t.match(short.warnings, [
    /^client\.token\.hmac_secret_key \(HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY\) is shorter than 32 bytes$/,
  ])
  t.match(errorOf({ env: { ...fromFile, HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: 'x' } }), /both .* are set/)
  t.match(errorOf({ env: { HOLDFAST_CONTROLLER_TOKEN_FILE: `${cwd}/absent` } }), /^controller\.token .*ENOENT/)
})

void t.test('under dev the default namespace is open to chat, unless there is a file', async (t) => {
  const open = load({ dev: true }).config
  t.match(open.channel.without_namespace, {
    allow_subscribe_for_client: true,
    allow_publish_for_subscriber: true,
    allow_history_for_subscriber: true,
    allow_publish_for_client: false,
    history_size: 100,
    history_ttl: 300_000,
    force_recovery: true,
  })
  t.equal(open.dev.active, true)
  const cwd = t.testdir({ 'holdfast.yaml': 'log_level: debug\n' })
  t.equal(load({ dev: true, cwd }).config.channel.without_namespace.allow_subscribe_for_client, false)
  t.equal(errorOf({ cwd: t.testdir({ 'holdfast.yaml': 'dev: {active: true}' }) }).startsWith('dev.active'), true)
})

/** Values of a key as a person writes them, with what they decode to. */
function written(key: ConfigKey): fc.Arbitrary<{ text: string; value: unknown }> {
  const { minimum: min = 0, maximum: max = 0 } = key.schema
  const number = fc.integer({ min, max })
  if (key.kind === 'integer') return number.map((value) => ({ text: String(value), value }))
  if (key.kind === 'duration') return number.map((value) => ({ text: formatDuration(value), value }))
  if (key.kind === 'toggle') return fc.boolean().map((value) => ({ text: String(value), value }))
  return fc.constantFrom(...(key.schema.enum ?? [])).map((value) => ({ text: String(value), value }))
}

void t.test('file, environment and flags agree on every value of every key', async (t) => {
  // Keys whose values have to fit to another key would be refused alone.
  const paired = ['client.ping', 'client.pong', 'heartbeat_interval', 'death_time', 'force_recovery']
  const keys = configKeys.filter(
    ({ path, kind }) =>
      ['integer', 'duration', 'toggle', 'choice'].includes(kind) && !paired.some((part) => path.includes(part)),
  )
  const setting = fc.constantFrom(...keys).chain((key) => written(key).map((value) => ({ key, ...value })))
  const cwd = t.testdir({ empty: {} })
  fc.assert(
    fc.property(setting, ({ key, text, value }) => {
      const tree = {}
      setPath(tree, key.path, text)
      writeFileSync(`${cwd}/a.yaml`, stringify(tree))
      const sources = [{ cwd, file: 'a.yaml' }, { env: { [key.env]: text } }, { flags: { [key.path]: text } }]
      for (const source of sources) {
        const found = getPath(load(source).config, key.path)
        if (found !== value) throw new Error(`${key.path}: ${String(found)} from ${JSON.stringify(source)}`)
      }
    }),
    { numRuns: 300 },
  )
})
