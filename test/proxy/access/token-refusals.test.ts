/**
 * Proves that an operator learns why tokens are refused: one line for each reason, however many there are, how many went
 * without one, a count of all; and nothing of a token or of whom it names.
 */
import t from 'tap'
import { disconnects, errors } from '../../../protocol/client/codes.ts'
import { TokenRefusals, refusalQuietMs } from '../../../proxy/access/token-refusals.ts'
import { testEnv } from '../../harness/env.ts'
import { Served } from '../../harness/served.ts'
import { tokenFor } from '../../harness/tokens.ts'
import { notingLogger } from '../../support/loggers.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

void t.test('a line for each reason, once a while', async (t) => {
  const { lines, logger } = notingLogger('warn')
  const clock = new ManualClock()
  const env = testEnv({ clock, logger })
  const refusals = new TokenRefusals(env)
  for (let i = 0; i < 100; i++) refusals.refused('connect', `s${i}`, 'signature')
  refusals.refused('refresh', 's', 'expired')
  t.match(lines, [
    { command: 'connect', session: 's0', reason: 'its signature is not one of client.token.hmac_secret_key' },
    { command: 'refresh', reason: /^it has expired/ },
  ])
  t.notOk('unsaid' in lines[0]!)
  clock.advance(refusalQuietMs - 1)
  refusals.refused('connect', 's', 'signature')
  t.equal(lines.length, 2)
  clock.advance(1)
  refusals.refused('subscribe', 's', 'signature')
  t.match(lines[2], { command: 'subscribe', unsaid: 100 })
  refusals.refused('connect', 's', 'claim subs')
  t.match(lines[3]?.reason, /claim subs/)
  t.match((await env.metrics.tokensRefused.get()).values, [
    { labels: { command: 'connect', reason: 'signature' }, value: 101 },
    { labels: { command: 'refresh', reason: 'expired' }, value: 1 },
    { labels: { command: 'subscribe', reason: 'signature' }, value: 1 },
    { labels: { command: 'connect', reason: 'claim subs' }, value: 1 },
  ])
})

void t.test('at a proxy, for every way in which a token comes', async (t) => {
  const { lines, logger } = notingLogger('warn')
  await using served = await Served.start({ 'client.token.audience': 'chat' }, logger)
  const forUs = { claims: { aud: 'chat' } }
  const bad: [token: string, reason: RegExp][] = [
    [await tokenFor('secret-name', { key: 'another secret that nobody knows' }), /signature/],
    [await tokenFor('secret-name'), /claim aud is not client\.token\.audience/],
    [await tokenFor('secret-name', { ...forUs, expiresIn: -60 }), /expired/],
    [await tokenFor('secret-name', { claims: { aud: 'chat', nbf: Date.now() / 1000 + 60 } }), /nbf or iat lies ahead/],
    [await tokenFor('secret-name', { claims: { aud: 'chat', subs: { room: {} } } }), /claim subs/],
    ['no token', /no JWT/],
  ]
  for (const [token, reason] of bad) {
    const before = lines.length
    const wire = await served.open()
    wire.send({ connect: { token } })
    await until('it is refused', () => wire.closed !== null || wire.messages.length > 0)
    t.equal(
      wire.closed?.code ?? wire.messages[0]?.error?.code,
      /expired|ahead/.test(reason.source) ? errors.tokenExpired.code : disconnects.invalidToken.code,
    )
    t.equal(lines.length, before + 1)
    t.match(lines.at(-1), { msg: 'token refused', command: 'connect', reason })
    wire.terminate()
  }
  const wire = await served.open()
  await wire.connect(await tokenFor('ada', forUs))
  wire.send({ refresh: { token: await tokenFor('bob', forUs) } })
  t.match(await wire.close(), disconnects.invalidToken)
  t.match(lines.at(-1), { command: 'refresh', reason: /another user/ })
  t.notMatch(JSON.stringify(lines), /secret-name|eyJ/)
})
