/**
 * Proves what a token is worth: whoever does not know the secret makes none that is taken, whatever they write; what
 * the time says about a good one; and that no text at all makes checking fail.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { TokenVerifier } from '../../proxy/tokens.ts'
import type { Verdict } from '../../proxy/tokens.ts'

const secret = 'a secret of these tests, 32 bytes'
const now = Date.UTC(2026, 0, 1)
const seconds = now / 1000
const verifier = new TokenVerifier(secret, false)

const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** A token whose parts are any texts, signed well. */
function signed(header: string, claims: string, key = secret): string {
  const signing = `${encode(header)}.${encode(claims)}`
  return `${signing}.${createHmac('sha256', key).update(signing).digest('base64url')}`
}

const hs256 = '{"alg":"HS256"}'
const good = signed(hs256, '{"sub":"ada"}')
const wordOf = (verdict: Verdict): string => ('refused' in verdict ? verdict.refused : verdict.identity.user)

void t.test('what is not signed with the secret is invalid', async (t) => {
  t.equal(wordOf(await verifier.verify(good, now)), 'ada')
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
  for (const token of forged) t.equal(wordOf(await verifier.verify(token, now)), 'invalid', token)
})

void t.test('a user id is a text that every store can hold', async (t) => {
  const userOf = async (sub: string) => wordOf(await verifier.verify(signed(hs256, JSON.stringify({ sub })), now))
  for (const sub of ['x'.repeat(2_048), 'é'.repeat(1_024), '😀']) t.equal(await userOf(sub), sub)
  for (const sub of ['x'.repeat(2_049), 'é'.repeat(1_025), '\ud83d']) t.equal(await userOf(sub), 'invalid')
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
  for (const header of headers)
    t.equal(wordOf(await verifier.verify(signed(header, '{"sub":"a"}'), now)), 'invalid', header)
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
  for (const body of bodies) t.equal(wordOf(await verifier.verify(signed(hs256, body), now)), 'invalid', body)
})

void t.test('time', async (t) => {
  const claims = (more: object) => signed(hs256, JSON.stringify({ sub: 'ada', ...more }))
  const lenient = new TokenVerifier(secret, true)
  const cases: [claims: object, strict: string, lenient: string][] = [
    [{ exp: seconds + 1 }, 'ada', 'ada'],
    [{ exp: seconds }, 'expired', 'ada'],
    [{ exp: seconds - 86_400 }, 'expired', 'ada'],
    [{ exp: 0 }, 'expired', 'ada'],
    [{ nbf: seconds }, 'ada', 'ada'],
    [{ nbf: seconds - 60, iat: seconds - 60 }, 'ada', 'ada'],
    [{ nbf: seconds + 60 }, 'invalid', 'invalid'],
    [{ nbf: seconds - 60, exp: seconds - 1 }, 'expired', 'ada'],
  ]
  for (const [more, strict, tolerant] of cases) {
    t.equal(wordOf(await verifier.verify(claims(more), now)), strict, JSON.stringify(more))
    t.equal(
      wordOf(await lenient.verify(claims(more), now)),
      tolerant,
      `where expiry does not count: ${JSON.stringify(more)}`,
    )
  }
  t.match(await verifier.verify(claims({ exp: seconds + 5 }), now), { identity: { expiresAt: now + 5_000 } })
  t.match(await lenient.verify(claims({ exp: seconds - 5, info: { a: 1 } }), now), {
    identity: { expiresAt: 0, connInfo: '{"a":1}' },
  })
  t.equal(wordOf(await lenient.verify(signed(hs256, '{"sub":"a","exp":1}', 'another'), now)), 'invalid', 'still signed')
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
  await fc.assert(
    fc.asyncProperty(text, async (token) =>
      assert.deepEqual(await verifier.verify(token, now), { refused: 'invalid' }),
    ),
    { numRuns: 500 },
  )
  await fc.assert(
    fc.asyncProperty(header, claims, async (header, claims) => {
      const verdict = await verifier.verify(signed(header, claims), now)
      if ('identity' in verdict) assert.equal(header, hs256)
      assert.deepEqual(await verifier.verify(signed(header, claims, 'another'), now), { refused: 'invalid' })
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})

void t.test('any change of a good token is invalid', async (t) => {
  const bytes = Buffer.from(good)
  const change = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.constantFrom(...Array.from('AZaz09-_.=+/ \n\0')))
  await fc.assert(
    fc.asyncProperty(change, async ([at, char]) => {
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
      assert.deepEqual(await verifier.verify(token, now), { refused: 'invalid' })
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})
