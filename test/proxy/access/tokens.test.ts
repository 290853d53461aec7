/**
 * Proves what a token is worth: whoever does not know the secret makes none that is taken, whatever they write; what
 * the time says about a good one; and that no text at all makes checking fail.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { defaultConfig } from '../../../config/keys.ts'
import { TokenVerifier } from '../../../proxy/access/tokens.ts'
import type { SubscriptionVerdict, Verdict } from '../../../proxy/access/tokens.ts'
import { secret } from '../../harness/tokens.ts'

const now = Date.UTC(2026, 0, 1)
const seconds = now / 1000
const { client } = defaultConfig()

type Rules = Partial<typeof client.token>

/** Rules that take no clock for wrong, unless a test says so. */
function verifierOf(rules: Rules = {}, insecure = false): TokenVerifier {
  return new TokenVerifier({ token: { ...client.token, hmac_secret_key: secret, leeway: 0, ...rules }, insecure })
}

const verifier = verifierOf()

const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** A token whose parts are any texts, signed well. */
function signed(header: string, claims: string, key = secret, digest = 'sha256'): string {
  const signing = `${encode(header)}.${encode(claims)}`
  return `${signing}.${createHmac(digest, key).update(signing).digest('base64url')}`
}

const hs256 = '{"alg":"HS256"}'
const good = signed(hs256, '{"sub":"ada"}')
const wordOf = (verdict: Verdict): string => ('refused' in verdict ? verdict.refused : verdict.identity.user)
const faultOf = (verdict: Verdict | SubscriptionVerdict): string => ('refused' in verdict ? verdict.fault : 'none')

/** A token of these claims, signed well. */
const tokenOf = (claims: object): string => signed(hs256, JSON.stringify(claims))

void t.test('what is not signed with the secret is invalid', async (t) => {
  t.equal(wordOf(verifier.verify(good, now)), 'ada')
  const [head, claims, signature] = good.split('.') as [string, string, string]
  const admin = encode('{"sub":"admin"}')
  const forged = [
    signed(hs256, '{"sub":"admin"}', 'another secret'),
    signed(hs256, '{"sub":"admin"}', ''),
    `${head}.${admin}.${signature}`,
    `${head}.${claims}.`,
    `${head}.${claims}`,
    `${good}.${good}`,
    `${good}x`,
    ` ${good}`,
    ...['none', 'None', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA', 'dir', ''].map((alg) =>
      signed(JSON.stringify({ alg }), '{"sub":"admin"}'),
    ),
    ...['none', 'HS256'].map((alg) => `${encode(JSON.stringify({ alg }))}.${admin}.`),
  ]
  for (const token of forged) t.equal(wordOf(verifier.verify(token, now)), 'invalid', token)
})

void t.test('a user id is a text that every store can hold', async (t) => {
  const userOf = (sub: string) => wordOf(verifier.verify(signed(hs256, JSON.stringify({ sub })), now))
  for (const sub of ['x'.repeat(2_048), 'é'.repeat(1_024), '😀']) t.equal(userOf(sub), sub)
  for (const sub of ['x'.repeat(2_049), 'é'.repeat(1_025), '\ud83d']) t.equal(userOf(sub), 'invalid')
})

void t.test('signed well, but none of ours', async (t) => {
  const headers = [
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"alg":7}',
    '{"alg":"HS256","crit":["b64"],"b64":false}',
    '{"alg":"HS256","crit":["x"],"x":1}',
  ]
  for (const header of headers) t.equal(wordOf(verifier.verify(signed(header, '{"sub":"a"}'), now)), 'invalid', header)
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '7',
    '{"sub":7}',
    '{"sub":null}',
    '{"sub":["a"]}',
    '{"exp":"soon"}',
    '{"exp":null}',
    '{"nbf":"x"}',
  ]
  for (const body of bodies) t.equal(wordOf(verifier.verify(signed(hs256, body), now)), 'invalid', body)
})

void t.test('one algorithm, and one way to write it', async (t) => {
  for (const [alg, digest] of Object.entries({ HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' })) {
    const token = signed(JSON.stringify({ alg, typ: 'JWT' }), '{"sub":"ada"}', secret, digest)
    t.equal(faultOf(verifier.verify(token, now)), alg === 'HS256' ? 'none' : 'algorithm', alg)
    const mislabelled = signed('{"alg":"HS256"}', '{"sub":"ada"}', secret, digest)
    t.equal(faultOf(verifier.verify(mislabelled, now)), alg === 'HS256' ? 'none' : 'signature', digest)
  }
  t.equal(faultOf(verifier.verify(`${good}=`, now)), 'signature')
})

void t.test('what is wrong is said in a word', async (t) => {
  const bad = signed(hs256, '{"sub":"ada"}', 'another')
  t.equal(faultOf(verifier.verify(bad, now)), 'signature')
  t.equal(faultOf(verifierOf({ hmac_secret_key: '' }).verify(good, now)), 'no secret')
  t.equal(faultOf(verifier.verify('a.b', now)), 'malformed')
  t.equal(faultOf(verifier.verify(signed('{"alg":"none"}', '{}'), now)), 'algorithm')
  t.equal(faultOf(verifier.verify(signed('{"alg":"RS256"}', '{}'), now)), 'algorithm')
  t.equal(faultOf(verifier.verify(signed('{"alg":"HS256","crit":["x"]}', '{}'), now)), 'malformed')
  t.equal(faultOf(verifier.verify(`${encode(hs256)}.${Buffer.from([0xff]).toString('base64url')}.`, now)), 'signature')
  t.equal(faultOf(verifier.verify(tokenOf({ exp: seconds - 1 }), now)), 'expired')
  t.equal(faultOf(verifier.verify(tokenOf({ nbf: seconds + 1 }), now)), 'not yet valid')
  t.equal(faultOf(verifier.verify(tokenOf({ sub: 7, exp: 1 }), now)), 'claim sub', 'rather than what time would mend')
})

void t.test('time', async (t) => {
  const claims = (more: object) => tokenOf({ sub: 'ada', ...more })
  const lenient = verifierOf({}, true)
  const cases: [claims: object, strict: string, lenient: string][] = [
    [{ exp: seconds + 1 }, 'ada', 'ada'],
    [{ exp: seconds + 0.5 }, 'ada', 'ada'],
    [{ exp: seconds }, 'expired', 'ada'],
    [{ exp: seconds - 86_400 }, 'expired', 'ada'],
    [{ exp: 0 }, 'expired', 'ada'],
    [{ exp: -1 }, 'expired', 'ada'],
    [{ nbf: seconds }, 'ada', 'ada'],
    [{ nbf: seconds - 60, iat: seconds - 60 }, 'ada', 'ada'],
    [{ nbf: seconds + 60 }, 'expired', 'expired'],
    [{ iat: seconds + 60 }, 'expired', 'expired'],
    [{ nbf: seconds - 60, exp: seconds - 1 }, 'expired', 'ada'],
  ]
  for (const [more, strict, tolerant] of cases) {
    t.equal(wordOf(verifier.verify(claims(more), now)), strict, JSON.stringify(more))
    t.equal(wordOf(lenient.verify(claims(more), now)), tolerant, `where expiry does not count: ${JSON.stringify(more)}`)
  }
  t.match(verifier.verify(claims({ exp: seconds + 5 }), now), { identity: { expiresAt: now + 5_000 } })
  t.match(lenient.verify(claims({ exp: seconds - 5, info: { a: 1 } }), now), {
    identity: { expiresAt: 0, connInfo: '{"a":1}' },
  })
  t.equal(wordOf(lenient.verify(signed(hs256, '{"sub":"a","exp":1}', 'another'), now)), 'invalid', 'still signed')
})

void t.test('clocks may differ by the leeway, either way', async (t) => {
  t.equal(client.token.leeway, 10_000)
  const tolerant = verifierOf({ leeway: 10_000 })
  const cases: [claims: object, fault: string][] = [
    [{ nbf: seconds + 2 }, 'none'],
    [{ nbf: seconds + 10, iat: seconds + 10 }, 'none'],
    [{ nbf: seconds + 11 }, 'not yet valid'],
    [{ iat: seconds + 11 }, 'not yet valid'],
    [{ exp: seconds - 9 }, 'none'],
    [{ exp: seconds - 10 }, 'expired'],
  ]
  for (const [claims, fault] of cases)
    t.equal(faultOf(tolerant.verify(tokenOf(claims), now)), fault, JSON.stringify(claims))
  t.match(tolerant.verify(tokenOf({ exp: seconds - 5 }), now), { identity: { expiresAt: now - 5_000 } })
})

void t.test('a number that is no time is refused', async (t) => {
  for (const name of ['exp', 'nbf', 'iat', 'expire_at']) {
    for (const value of ['1e308', '-1e308', '1e13', '"1"', 'null', 'true', '[]', '{}']) {
      const token = signed(hs256, `{"sub":"ada","${name}":${value}}`)
      t.equal(faultOf(verifier.verify(token, now)), `claim ${name}`, `${name} ${value}`)
    }
  }
  t.match(verifier.verify(tokenOf({ exp: 253_402_300_799 }), now), { identity: { expiresAt: 253_402_300_799_000 } })
})

void t.test('expire_at tells when the connection ends, in place of exp', async (t) => {
  const endOf = (claims: object) => {
    const verdict = verifier.verify(tokenOf(claims), now)
    return 'identity' in verdict ? verdict.identity.expiresAt : verdict.fault
  }
  t.equal(endOf({ exp: seconds + 5, expire_at: seconds + 60 }), now + 60_000)
  t.equal(endOf({ exp: seconds + 5, expire_at: 0 }), 0, 'never')
  t.equal(endOf({ expire_at: -1 }), 0)
  t.equal(endOf({ expire_at: seconds - 1 }), 'expired')
  t.equal(endOf({ exp: seconds - 1, expire_at: seconds + 60 }), 'expired', 'exp still is when the token ends')
  t.match(verifierOf({}, true).verify(tokenOf({ expire_at: seconds - 1 }), now), { identity: { expiresAt: 0 } })
})

void t.test('whom it is for, and of whom', async (t) => {
  const cases: [rules: Rules, claims: object, fault: string][] = [
    [{ audience: 'me' }, { aud: 'me' }, 'none'],
    [{ audience: 'me' }, { aud: ['you', 'me'] }, 'none'],
    [{ audience: 'me' }, { aud: 'you' }, 'claim aud'],
    [{ audience: 'me' }, { aud: ['ME', 'me '] }, 'claim aud'],
    [{ audience: 'me' }, {}, 'claim aud'],
    [{ audience: 'me' }, { aud: [] }, 'claim aud'],
    [{}, { aud: 7 }, 'claim aud'],
    [{}, { aud: [7] }, 'claim aud'],
    [{}, { aud: null }, 'claim aud'],
    [{}, { aud: 'anybody', iss: 'anybody' }, 'none'],
    [{ audience_regex: '^chat-(eu|us)$' }, { aud: 'chat-eu' }, 'none'],
    [{ audience_regex: '^chat-(eu|us)$' }, { aud: ['x', 'chat-us'] }, 'none'],
    [{ audience_regex: '^chat-(eu|us)$' }, { aud: 'chat-eu2' }, 'claim aud'],
    [{ audience_regex: '^chat-(eu|us)$' }, {}, 'claim aud'],
    [{ audience_regex: 'chat' }, { aud: 'my chat' }, 'none'],
    [{ issuer: 'https://id.example' }, { iss: 'https://id.example' }, 'none'],
    [{ issuer: 'https://id.example' }, { iss: 'https://id.example/' }, 'claim iss'],
    [{ issuer: 'https://id.example' }, {}, 'claim iss'],
    [{}, { iss: 7 }, 'claim iss'],
    [{ issuer_regex: '^https://[a-z]+\\.id\\.example$' }, { iss: 'https://eu.id.example' }, 'none'],
    [{ issuer_regex: '^https://[a-z]+\\.id\\.example$' }, { iss: 'https://eu.id.example.evil' }, 'claim iss'],
    [{ issuer_regex: '^https://[a-z]+\\.id\\.example$' }, { iss: 'https://euxidxexample' }, 'claim iss'],
    [{ issuer_regex: '^x' }, {}, 'claim iss'],
  ]
  for (const [rules, claims, fault] of cases) {
    const strict = verifierOf(rules)
    const name = `${JSON.stringify(rules)} ${JSON.stringify(claims)}`
    t.equal(faultOf(strict.verify(tokenOf(claims), now)), fault, name)
    t.equal(
      faultOf(strict.verifySubscription(tokenOf({ ...claims, channel: 'c' }), now)),
      fault,
      `subscription: ${name}`,
    )
  }
})

void t.test('no pattern makes a token costly', async (t) => {
  const rules = verifierOf({ audience_regex: '^(a+)+$', issuer_regex: '(x+x+)+y' })
  const token = tokenOf({ aud: `${'a'.repeat(20_000)}!`, iss: 'x'.repeat(20_000) })
  t.equal(faultOf(rules.verify(token, now)), 'claim aud')
})

void t.test('another claim may name the user', async (t) => {
  const named = verifierOf({ user_id_claim: 'uid' })
  const userOf = (claims: string) => {
    const verdict = named.verify(signed(hs256, claims), now)
    return 'identity' in verdict ? verdict.identity.user : verdict.fault
  }
  t.equal(userOf('{"sub":"ada","uid":"bob"}'), 'bob')
  t.equal(userOf('{"sub":"ada"}'), '', 'nobody, and not whom another claim names')
  t.equal(userOf('{"uid":9007199254740993}'), '9007199254740993', 'as it is written')
  t.equal(userOf('{"uid":1,"uid":2}'), '2')
  for (const value of ['1.5', '1e3', 'null', 'true', '[]', '{}', '"\\ud800"', `"${'x'.repeat(2_049)}"`]) {
    t.equal(userOf(`{"uid":${value}}`), 'claim user', value.slice(0, 20))
  }
  for (const name of ['constructor', '__proto__', 'toString']) {
    const verdict = verifierOf({ user_id_claim: name }).verify(signed(hs256, '{}'), now)
    t.match(verdict, { identity: { user: '' } }, name)
  }
})

void t.test('a user id that could be taken for another one, or that nothing can keep', async (t) => {
  t.equal(faultOf(verifier.verify(signed(hs256, '{"sub":"\\ud800"}'), now)), 'claim sub')
  t.equal(wordOf(verifier.verify(tokenOf({ sub: 'é'.repeat(1_024) }), now)), 'é'.repeat(1_024))
  t.equal(faultOf(verifier.verify(tokenOf({ sub: `${'é'.repeat(1_024)}x` }), now)), 'claim sub')
})

void t.test('info is the text that the token has', async (t) => {
  const infoOf = (claims: string) => {
    const verdict = verifier.verify(signed(hs256, claims), now)
    return 'identity' in verdict ? verdict.identity.connInfo : verdict.fault
  }
  const text = '{"id":1234567890123456789,"n":1.10,"big":1e400,"s":"\\u00e9\\n","a":[1.0,-0]}'
  t.equal(infoOf(`{"sub":"ada","info":${text}}`), text)
  t.equal(infoOf('{"info" : { "a" : 1 } , "exp":9999999999}'), '{ "a" : 1 }')
  t.equal(infoOf('{"info":{\n"a":\r\n1}}'), '{ "a":  1}', 'on one line')
  t.equal(infoOf('{}'), null)
  const encoded = (bytes: string | Buffer) => JSON.stringify(Buffer.from(bytes).toString('base64'))
  t.equal(infoOf(`{"info":1,"b64info":${encoded(text)}}`), text, 'b64info comes first')
  t.equal(infoOf('{"info":1,"b64info":""}'), '1')
  for (const bad of [encoded('no json'), encoded(Buffer.from([0xff])), '"%%%%"', '"e30"', '7', 'null']) {
    t.equal(infoOf(`{"b64info":${bad}}`), 'claim b64info', bad)
  }
})

void t.test('any JSON in info comes through as it is written', async (t) => {
  const value = fc.oneof(fc.json(), fc.json({ noUnicodeString: false }), fc.bigInt().map(String))
  const spaced = value.map((text) =>
    JSON.stringify({ v: 0 }, null, 1)
      .replace('0', () => text)
      .replaceAll('\n', ''),
  )
  fc.assert(
    fc.property(fc.oneof(value, spaced), fc.json(), (info, other) => {
      const verdict = verifier.verify(signed(hs256, `{"x":${other},"info":${info},"sub":"ada"}`), now)
      assert.ok('identity' in verdict)
      assert.equal(verdict.identity.connInfo, info.trim())
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})

void t.test('what a connection token cannot grant here is refused, and not ignored', async (t) => {
  for (const [name, value] of Object.entries({ channel: 'c', channels: ['c'], subs: { c: {} } })) {
    t.equal(faultOf(verifier.verify(tokenOf({ sub: 'ada', [name]: value }), now)), `claim ${name}`)
  }
  for (const nothing of [
    { channel: '', channels: [], subs: {} },
    { channels: null, subs: null },
  ]) {
    t.equal(faultOf(verifier.verify(tokenOf({ sub: 'ada', ...nothing }), now)), 'none')
  }
})

void t.test('a subscription token', async (t) => {
  const claims = { sub: 'ada', channel: 'room', exp: seconds + 5 }
  t.strictSame(verifier.verifySubscription(tokenOf({ ...claims, client: 'c1' }), now), {
    grant: { user: 'ada', channel: 'room', client: 'c1', expiresAt: now + 5_000 },
  })
  t.match(verifier.verifySubscription(tokenOf({ ...claims, expire_at: 0 }), now), { grant: { expiresAt: 0 } })
  const cases: [claims: object, fault: string][] = [
    [{ exp: seconds }, 'expired'],
    [{ nbf: seconds + 1 }, 'not yet valid'],
    [{ channel: '' }, 'claim channel'],
    [{ channel: 7 }, 'claim channel'],
    [{ client: 7 }, 'claim client'],
    [{ sub: 7 }, 'claim sub'],
    [{ info: { a: 1 } }, 'claim info'],
    [{ b64info: 'e30=' }, 'claim b64info'],
    [{ data: 1 }, 'claim data'],
    [{ override: { presence: { value: true } } }, 'claim override'],
  ]
  for (const [more, fault] of cases) {
    t.equal(faultOf(verifier.verifySubscription(tokenOf({ ...claims, ...more }), now)), fault, JSON.stringify(more))
  }
  t.equal(faultOf(verifier.verifySubscription(tokenOf({ sub: 'ada' }), now)), 'claim channel', 'a connection token')
  t.equal(faultOf(verifier.verifySubscription(signed(hs256, JSON.stringify(claims), 'another'), now)), 'signature')
})

void t.test('any text is invalid, and never an error', async (t) => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json().map(encode),
    fc.base64String(),
    fc.constant(good.split('.')[0]!),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
  )
  const claims = fc.oneof(
    fc.json(),
    fc
      .record(
        { sub: fc.jsonValue(), exp: fc.jsonValue(), nbf: fc.jsonValue(), info: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((record) => JSON.stringify(record)),
  )
  const header = fc.oneof(fc.constant(hs256), fc.json())
  fc.assert(
    fc.property(text, (token) => assert.equal(wordOf(verifier.verify(token, now)), 'invalid')),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(header, claims, (header, claims) => {
      const verdict = verifier.verify(signed(header, claims), now)
      if ('identity' in verdict) assert.equal(header, hs256)
      assert.equal(wordOf(verifier.verify(signed(header, claims, 'another'), now)), 'invalid')
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})

void t.test('any change of a good token is invalid', async (t) => {
  const bytes = Buffer.from(good)
  const change = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.constantFrom(...Array.from('AZaz09-_.=+/ \n\0')))
  fc.assert(
    fc.property(change, ([at, char]) => {
      const token = good.slice(0, at) + char + good.slice(at + 1)
      const meansTheSame = token
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('hex'))
        .join('.')
      fc.pre(
        meansTheSame !==
          good
            .split('.')
            .map((part) => Buffer.from(part, 'base64url').toString('hex'))
            .join('.'),
      )
      assert.equal(wordOf(verifier.verify(token, now)), 'invalid')
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})
