/** Proves that a printed configuration holds no secret, and that it reads back as what is in force. */
import t from 'tap'
import { defaultConfig } from '../../config/keys.ts'
import { loadConfig } from '../../config/load.ts'
import { printConfig, printableConfig, redactUrl } from '../../config/print.ts'

void t.test('secrets are not printed', async (t) => {
  const config = defaultConfig()
  config.client.token.hmac_secret_key = 'hunter2'
  config.controller.token = 'hunter3'
  config.store = 'mysql://holdfast:hunter4@db.example/chat'
  const text = printConfig(config) + JSON.stringify(printableConfig(config))
  t.notMatch(text, /hunter/)
  t.match(text, 'mysql://holdfast:***@db.example/chat')
})

void t.test('redactUrl hides the password and nothing else', async (t) => {
  const cases: [string, string][] = [
    ['mysql://u:p@h:3306/d', 'mysql://u:***@h:3306/d'],
    ['mysql://u:p@ss@h/d', 'mysql://u:***@h/d'],
    ['mysql://u@h/d', 'mysql://u@h/d'],
    ['embedded:./a@b:c', 'embedded:./a@b:c'],
    ['', ''],
  ]
  for (const [url, redacted] of cases) t.equal(redactUrl(url), redacted)
})

void t.test('what is printed reads back', async (t) => {
  const env = {
    HOLDFAST_CHANNEL_NAMESPACES: '[{"name":"staff","history_size":3,"history_ttl":"90s"}]',
    HOLDFAST_CLIENT_COMMAND_RATE: '7',
  }
  const { config } = loadConfig({ env, flags: {}, cwd: t.testdir({}) })
  const cwd = t.testdir({ 'holdfast.yaml': printConfig(config) })
  t.same(loadConfig({ env: {}, flags: {}, cwd }), { config, warnings: [] })
})
