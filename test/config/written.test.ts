/** Proves that a text which looks like a number arrives as it was written, wherever it stands. */
import * as fc from 'fast-check'
import t from 'tap'
import { loadConfig } from '../../config/load.ts'
import { parseYaml } from '../../config/written.ts'

const secret = '12345678901234567890123456789012'

void t.test('in a file', async (t) => {
  const yaml = `
worker: { version: 1.10 }
client:
  token: { hmac_secret_key: ${secret} }
channel:
  namespaces:
    - name: 0010
      history_size: 1e2
http_server: { port: 0x1F90 }
`
  const json = JSON.stringify({ worker: { version: 1.1 }, channel: { namespaces: [{ name: '0010' }] } })
  const cwd = t.testdir({ 'holdfast.yaml': yaml, 'holdfast.json': json.replace('1.1', '1.10') })
  const { config } = loadConfig({ env: {}, flags: {}, cwd })
  t.equal(config.worker.version, '1.10')
  t.equal(config.client.token.hmac_secret_key, secret)
  t.match(config.channel.namespaces, [{ name: '0010', history_size: 100 }])
  t.equal(config.http_server.port, 8080)
  const fromJson = loadConfig({ file: 'holdfast.json', env: {}, flags: {}, cwd }).config
  t.equal(fromJson.worker.version, '1.10')
  t.equal(fromJson.channel.namespaces[0]?.name, '0010')
  // No number is an origin; what is refused is the text that stands there.
  const inList = t.testdir({ 'holdfast.yaml': 'client: { allowed_origins: [0x10] }' })
  t.throws(() => loadConfig({ env: {}, flags: {}, cwd: inList }), { message: /^client\.allowed_origins: 0x10: / })
})

void t.test('in the environment and in flags', async (t) => {
  const { config } = loadConfig({
    env: {
      HOLDFAST_WORKER_VERSION: '1.10',
      HOLDFAST_CHANNEL_NAMESPACES: '[{"name": 1.10, "history_size": 1e2}]',
      HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret,
    },
    flags: { 'worker.app': '0010' },
    cwd: t.testdir({}),
  })
  t.equal(config.worker.version, '1.10')
  t.match(config.channel.namespaces, [{ name: '1.10', history_size: 100 }])
  t.equal(config.client.token.hmac_secret_key, secret)
  t.equal(config.worker.app, '0010')
  const env = { HOLDFAST_CLIENT_ALLOWED_ORIGINS: '[1.10]' }
  t.throws(() => loadConfig({ env, flags: {}, cwd: t.testdir({}) }), { message: /^client\.allowed_origins: 1\.10: / })
})

void t.test('any text of digits, points, signs and exponents', async (t) => {
  const numeric = fc.stringMatching(/^[0-9][0-9.eE+-]{0,30}$/)
  fc.assert(
    fc.property(numeric, (text) => {
      t.equal(String((parseYaml(`key: ${text}`) as { key: unknown }).key), text)
    }),
  )
})

void t.test('numbers where none belong are told clearly', async (t) => {
  const cwd = t.testdir({ 'key.yaml': '8000: 1\n', 'value.yaml': '8000\n', 'toggle.yaml': 'client: {insecure: 1.0}\n' })
  const load = (file: string) => () => loadConfig({ file, env: {}, flags: {}, cwd })
  t.match(load('key.yaml')().warnings, [/^8000 \(key\.yaml\) is no key of Holdfast or Centrifugo: ignored$/])
  t.throws(load('value.yaml'), { name: 'ConfigError', message: /^value\.yaml: a mapping of keys is needed/ })
  t.throws(load('toggle.yaml'), { name: 'ConfigError', message: /true or false$/ })
})
