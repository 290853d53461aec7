/**
 * Proves that a text is the same wherever it stands: byte order marks and line ends that editors, shells and Windows
 * add change nothing, and what cannot be meant is refused in one line that does not repeat it.
 */
import { writeFileSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { loadConfig } from '../../config/load.ts'
import type { LoadOptions } from '../../config/load.ts'

const secret = 'hunter2 hunter2 hunter2 hunter2 hunter2'
const path = 'client.token.hmac_secret_key'
const variable = 'HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY'

/** The ways to set the secret. */
function ways(t: Test, bytes: Buffer): Record<string, LoadOptions> {
  const cwd = t.testdir({})
  const text = bytes.toString()
  const yaml = JSON.stringify({ client: { token: { hmac_secret_key: text } } })
  writeFileSync(`${cwd}/secret`, bytes)
  writeFileSync(`${cwd}/file.yaml`, yaml)
  const options = { env: {}, flags: {}, cwd }
  return {
    variable: { ...options, env: { [variable]: text } },
    'file of its own': { ...options, env: { [`${variable}_FILE`]: `${cwd}/secret` } },
    'configuration file': { ...options, file: 'file.yaml' },
    flag: { ...options, flags: { [path]: text } },
  }
}

void t.test('what is put around a secret does not belong to it', async (t) => {
  for (const around of [
    `${secret}\n`,
    `${secret}\r\n`,
    `${secret}\r`,
    `\uFEFF${secret}`,
    `\uFEFF${secret}\r\n`,
    ` ${secret} `,
  ])
    for (const [way, options] of Object.entries(ways(t, Buffer.from(around)))) {
      const { config, warnings } = loadConfig(options)
      t.equal(config.client.token.hmac_secret_key, secret, `${way}: ${JSON.stringify(around)}`)
      t.same(warnings, [])
    }
})

void t.test('what cannot be meant is refused', async (t) => {
  for (const text of [`${secret}\nmore`, `${secret}\0`, '\n', ' '])
    for (const [way, options] of Object.entries(ways(t, Buffer.from(text)))) {
      const what = `${way}: ${JSON.stringify(text)}`
      t.throws(() => loadConfig(options), { name: 'ConfigError', message: /^client\.token\.hmac_secret_key \(/ }, what)
      try {
        loadConfig(options)
      } catch (error) {
        t.notMatch((error as Error).message, /hunter2|\n/, 'and not repeated')
      }
    }
  const utf16 = Buffer.from(`\uFEFF${secret}`, 'utf16le')
  const files: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /secret is empty$/],
    [utf16, /secret is UTF-16: save it as UTF-8$/],
    [Buffer.from(utf16).swap16(), /secret is UTF-16: save it as UTF-8$/],
    [Buffer.from([0x61, 0xff, 0x62]), /secret is not UTF-8$/],
  ]
  for (const [bytes, message] of files)
    t.throws(() => loadConfig(ways(t, bytes)['file of its own']!), { name: 'ConfigError', message })
})

void t.test('a variable of any kind that ends in CR', async (t) => {
  const env = {
    HOLDFAST_HTTP_SERVER_PORT: '9000\r',
    HOLDFAST_CLIENT_PING_INTERVAL: '20s\r',
    HOLDFAST_CLIENT_INSECURE: 'true\r',
    HOLDFAST_DATA_DIR: 'data\r',
    HOLDFAST_CLIENT_ALLOWED_ORIGINS: 'https://a.example,https://b.example\r',
    HOLDFAST_CHANNEL_NAMESPACES: '[{"name":"staff\\r"}]\r',
  }
  const { config } = loadConfig({ env, flags: {}, cwd: t.testdir({}) })
  t.equal(config.http_server.port, 9_000)
  t.equal(config.client.ping_interval, 20_000)
  t.equal(config.client.insecure, true)
  t.equal(config.data_dir, 'data')
  t.same(config.client.allowed_origins, ['https://a.example', 'https://b.example'])
  t.equal(config.channel.namespaces[0]?.name, 'staff')
})

void t.test('a configuration file as Windows writes it', async (t) => {
  const cwd = t.testdir({})
  const text = 'http_server:\r\n  port: 9000\r\n'
  writeFileSync(`${cwd}/bom.yaml`, `\uFEFF${text}`)
  writeFileSync(`${cwd}/utf16.yaml`, Buffer.from(`\uFEFF${text}`, 'utf16le'))
  const load = (file: string) => loadConfig({ file, env: {}, flags: {}, cwd })
  t.equal(load('bom.yaml').config.http_server.port, 9_000)
  t.throws(() => load('utf16.yaml'), { name: 'ConfigError', message: /^utf16\.yaml: .* is UTF-16: save it as UTF-8$/ })
})
