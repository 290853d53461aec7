/**
 * Proves that the names of Centrifugo's keys are those of its published schema, and that files that it runs are read: its
 * own default, which names every key, and one that switches on a lot, a key of its commercial edition included.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { isCentrifugoKey } from '../../config/centrifugo-keys.ts'
import { keysOfPage } from '../../config/centrifugo-schema.ts'
import { loadConfig } from '../../config/load.ts'

const { keys } = JSON.parse(readFileSync(new URL('../../config/centrifugo-keys.json', import.meta.url), 'utf8')) as {
  keys: string[]
}

void t.test('keys are read from the page that Centrifugo prints', async (t) => {
  const page = [
    '# `http_server`',
    'Type: `HTTPServer` object',
    '## `http_server.tls`',
    '### `http_server.tls.enabled`',
    'Set `client.token` too.',
    '# `consumers`',
    '## `consumers[].name`',
    '## Not a key',
  ]
  const found = ['consumers', 'consumers[].name', 'http_server', 'http_server.tls', 'http_server.tls.enabled']
  t.strictSame(keysOfPage(page.join('\n\n')), found)
  t.strictSame(keys, keys.toSorted(), 'what was made is as it is made')
  t.ok(keys.length > 1_000)
})

void t.test('a key, an index, and what stands below a key that holds anything', async (t) => {
  const theirs = [
    'admin',
    'channel.namespaces[17].presence',
    'proxies[0].http.static_headers.X-Key',
    'engine.redis.tls.enabled',
  ]
  for (const path of theirs) t.ok(isCentrifugoKey(path), path)
  for (const path of ['', 'admin.passwort', 'channel.namespaces[0].presense', 'nothing.of.it', 'admi']) {
    t.notOk(isCentrifugoKey(path), path)
  }
})

/** The tree of a file that sets every key to the same. */
function fileOfAll(value: unknown): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  for (const key of keys) {
    const names = key.split('.')
    if (names.some((name) => name.endsWith('[]')) || keys.some((other) => other.startsWith(`${key}.`))) continue
    let section = tree
    for (const name of names.slice(0, -1)) section = (section[name] ??= {}) as Record<string, unknown>
    section[names.at(-1)!] = value
  }
  return tree
}

void t.test('a file that names every key and asks for nothing loads without a word', async (t) => {
  const cwd = t.testdir({ 'holdfast.yaml': JSON.stringify(fileOfAll(null)) })
  t.strictSame(loadConfig({ env: {}, flags: {}, cwd }).warnings, [])
})

void t.test('a file like those that client libraries are tested with runs', async (t) => {
  const file = {
    client: { insecure: true, concurrency: 8, token: { hmac_secret_key: 's'.repeat(32) } },
    http_stream: { enabled: true },
    shared_poll: { hmac_secret_key: 'of something else' },
    proxies: [{ name: 'backend', endpoint: 'http://127.0.0.1:3010/refresh', timeout: '5s' }],
    http_api: { key: 'of something else' },
    channel: {
      without_namespace: { presence: true, allowed_delta_types: ['fossil'], history_size: 100, history_ttl: '300s' },
      namespaces: [
        {
          name: 'debounced',
          subscription_type: 'map',
          map: { mode: 'ephemeral', key_ttl: '60s', allow_publish_for_client: true },
          client_publish_debounce_interval: '50ms',
        },
      ],
    },
  }
  const cwd = t.testdir({ 'holdfast.yaml': JSON.stringify(file) })
  const { config, warnings } = loadConfig({ env: {}, flags: {}, cwd })
  t.match(config.channel.namespaces, [{ name: 'debounced', subscription_type: 'map' }])
  t.equal(warnings.length, 9)
  t.match(warnings.at(-1), /^channel\.namespaces\[0\]\.client_publish_debounce_interval .* is no key of/)
})
