/** Proves that a secret nobody set is made once, kept for its owner alone, and found again. */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { ConfigError } from '../../config/errors.ts'
import { defaultConfig } from '../../config/keys.ts'
import { findSecret, secretPath, withFoundSecret, withSecret } from '../../config/secrets.ts'

const modeOf = (path: string) => statSync(path).mode & 0o777

void t.test('made, kept and found', async (t) => {
  const config = { ...defaultConfig(), data_dir: `${t.testdir({})}/data` }
  t.equal(findSecret(config, 'clientSecret'), '')
  t.equal(withFoundSecret(config, 'clientSecret').client.token.hmac_secret_key, '')
  const made = withSecret(withSecret(config, 'clientSecret'), 'controllerToken')
  const both = withSecret(made, 'controllerReadToken').controller
  t.equal(Buffer.byteLength(both.read_token), 64)
  t.not(both.read_token, both.token, 'each role has its own')
  t.equal(modeOf(secretPath(config, 'controllerReadToken')), 0o600)
  t.equal(Buffer.byteLength(made.client.token.hmac_secret_key), 64)
  t.not(made.controller.token, made.client.token.hmac_secret_key)
  t.same(withSecret(withSecret(config, 'clientSecret'), 'controllerToken'), made)
  t.equal(findSecret(config, 'controllerToken'), made.controller.token)
  t.equal(modeOf(secretPath(config, 'controllerToken')), 0o600)
  t.equal(modeOf(secretPath(config, 'clientSecret')), 0o600)
  t.equal(modeOf(config.data_dir), 0o700)
})

void t.test('a secret that is set is used and not kept', async (t) => {
  const config = { ...defaultConfig(), data_dir: `${t.testdir({})}/data` }
  config.controller = { ...config.controller, token: 'mine' }
  t.equal(withSecret(config, 'controllerToken').controller.token, 'mine')
  t.throws(() => readFileSync(secretPath(config, 'controllerToken')))
})

void t.test('a directory that cannot be written is one clear error', async (t) => {
  const file = `${t.testdir({})}/file`
  writeFileSync(file, '')
  const config = { ...defaultConfig(), data_dir: `${file}/data` }
  t.throws(() => withSecret(config, 'clientSecret'), ConfigError)
})

void t.test('an empty file, which a crash at the first start may leave, is none', async (t) => {
  const dataDir = t.testdir({ 'client.secret': '', 'controller.token': '\n' })
  const config = { ...defaultConfig(), data_dir: dataDir }
  for (const name of ['clientSecret', 'controllerToken'] as const) {
    t.equal(findSecret(config, name), '')
    withSecret(config, name)
    t.equal(Buffer.byteLength(findSecret(config, name)), 64, 'made anew')
    t.equal(modeOf(secretPath(config, name)), 0o600)
  }
  t.same(readdirSync(dataDir).toSorted(), ['client.secret', 'controller.token'], 'and nothing else is left')
})

void t.test('a kept secret that an editor has touched', async (t) => {
  const secret = 'a'.repeat(64)
  const dataDir = t.testdir({ 'client.secret': `\uFEFF${secret}\r\n`, 'controller.token': `${secret}\n${secret}\n` })
  const config = { ...defaultConfig(), data_dir: dataDir }
  t.equal(findSecret(config, 'clientSecret'), secret)
  t.throws(() => findSecret(config, 'controllerToken'), { name: 'ConfigError', message: /more than one line/ })
  writeFileSync(secretPath(config, 'controllerToken'), Buffer.from(`\uFEFF${secret}`, 'utf16le'))
  t.throws(() => findSecret(config, 'controllerToken'), { name: 'ConfigError', message: /UTF-16/ })
})
