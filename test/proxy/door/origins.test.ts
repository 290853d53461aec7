/**
 * Proves which pages may connect: what a pattern means, whatever it and the origin are made of, and that no origin costs
 * more than a look through it.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { normalOriginPattern } from '../../../config/origin-pattern.ts'
import { AllowedOrigins, originLengthMax } from '../../../proxy/door/origins.ts'

const isAllowed = (origin: string | undefined, host: string | undefined, allowed: string[]): boolean =>
  new AllowedOrigins(allowed).allows(origin, host)

void t.test('the simple cases', async (t) => {
  t.ok(isAllowed(undefined, 'chat.example', []), 'no browser')
  t.ok(isAllowed('https://chat.example', 'chat.example', []))
  t.ok(isAllowed('https://CHAT.example', 'Chat.Example', []))
  t.ok(isAllowed('http://127.0.0.1:8000', '127.0.0.1:8000', []))
  for (const origin of ['https://chat.example:444', 'https://chat.example.evil.example', 'null', '', 'chat.example']) {
    t.notOk(isAllowed(origin, 'chat.example', []), origin)
  }
  t.notOk(isAllowed('https://chat.example', undefined, []))
  t.notOk(isAllowed('null', undefined, []))
  t.ok(isAllowed('null', undefined, ['*']))
  t.notOk(isAllowed('https://chat.example', 'chat.example', ['https://other.example']), 'the list is all')
  t.notOk(isAllowed('https://chatxexample', 'x', ['https://chat.example']), 'a dot is a dot')
})

/** The simple meaning: `*` is nothing, or one character and `*` again. */
function fits(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return fits(pattern.slice(1), text) || (text !== '' && fits(pattern, text.slice(1)))
  return pattern[0] === text[0] && fits(pattern.slice(1), text.slice(1))
}

void t.test('a pattern allows what it means, and nothing else', async () => {
  const letters = fc.constantFrom('a', 'b', '.', ':')
  const texts = fc.string({ unit: letters, maxLength: 9 })
  const patterns = fc.string({ unit: fc.oneof(letters, fc.constant('*')), minLength: 1, maxLength: 7 })
  const seen = new Set<boolean>()
  fc.assert(
    fc.property(patterns, patterns, texts, (one, other, text) => {
      const isAllowed = new AllowedOrigins([one, other]).allows(text, undefined)
      seen.add(isAllowed)
      assert.equal(isAllowed, fits(one, text) || fits(other, text))
    }),
    { numRuns: 5_000 },
  )
  assert.equal(seen.size, 2)
})

void t.test('an origin is what browsers write, and so is its pattern', async (t) => {
  const allowed = (pattern: string, origin: string) => isAllowed(origin, 'x', [normalOriginPattern(pattern)])
  const same: [origin: string, patterns: string[]][] = [
    [
      'https://chat.example.com',
      [
        'https://chat.example.com/',
        'https://chat.example.com:443',
        'HTTPS://Chat.Example.com:443/',
        ' https://*.com:443/',
      ],
    ],
    ['http://chat.example.com', ['http://chat.example.com:80', 'http://*.example.com:80', '*.example.com/']],
    ['http://chat.example.com:443', ['http://chat.example.com:443', 'http://*.example.com:443']],
    ['https://xn--bcher-kva.example', ['https://b\u00fccher.example/', 'https://xn--bcher-kva.example']],
    ['https://a.xn--bcher-kva.example', ['https://*.b\u00fccher.example']],
    ['http://[::1]:3000', ['http://[0:0:0:0:0:0:0:1]:3000']],
    ['capacitor://localhost', ['capacitor://localhost', 'capacitor://localhost/']],
    ['https://a.example:8443', ['*.example:8443', 'https://*:8443', '*']],
    ['null', ['null', '*']],
  ]
  for (const [origin, patterns] of same) for (const each of patterns) t.ok(allowed(each, origin), `${each} ${origin}`)
  t.notOk(allowed('https://chat.example.com:443', 'https://chat.example.com:8443'))
  t.notOk(allowed('https://chat.example.com:443', 'http://chat.example.com'))
  const refused = [
    'chat.example.com',
    'localhost:3000',
    '',
    'https://',
    'https://chat.example.com/app',
    'https://chat.example.com/*',
    'https://user@chat.example.com',
    'https://chat.example.com?x',
    'https://a b',
    'wss://chat.example.com',
    '*.example.com:443',
    'https://*b\u00fccher.example',
  ]
  for (const pattern of refused) t.throws(() => normalOriginPattern(pattern), { message: /^[^\n]+$/ }, pattern)
})

void t.test('the host of a page may be written with the port that its scheme implies', async (t) => {
  t.ok(isAllowed('https://chat.example', 'chat.example:443', []))
  t.ok(isAllowed('http://chat.example', 'Chat.example:80', []))
  for (const host of ['chat.example:80', 'chat.example:8443', 'a@chat.example', 'chat.example:443:443', ':443']) {
    t.notOk(isAllowed('https://chat.example', host, []), host)
  }
})

void t.test('whoever needs no token calls this machine by a name of its own', async (t) => {
  const local = new AllowedOrigins([], true)
  for (const host of ['localhost', 'LOCALHOST:8000', '127.0.0.1:8000', '127.1.2.3', '[::1]:8000']) {
    t.ok(local.allows(undefined, host), host)
    t.ok(local.allows(`http://${host}`.toLowerCase(), host), host)
    t.notOk(local.allows('http://evil.example', host), 'a foreign page')
  }
  for (const host of [
    'evil.example',
    'evil.example:8000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
  ]) {
    t.notOk(local.allows(`http://${host}`, host), host)
    t.notOk(local.allows(undefined, host), host)
  }
  t.notOk(local.allows(undefined, undefined))
  const named = new AllowedOrigins(['http://lab.example'], true)
  t.ok(named.allows('http://lab.example', 'chat.example'), 'one that is named may come from anywhere')
  t.notOk(named.allows('http://evil.example', 'evil.example'))
  t.notOk(named.allows(undefined, 'evil.example'))
})

void t.test('an origin is looked through once, whatever the pattern', (t) => {
  const longest = `https://${'a'.repeat(originLengthMax - 8)}`
  // Whoever tries again with each `a` for each `*` is not done before the end of the world.
  const origins = new AllowedOrigins([`https://${'*a'.repeat(40)}*.example`, `${'*a'.repeat(40)}b`])
  t.notOk(origins.allows(longest, undefined))
  t.ok(new AllowedOrigins(['https://*']).allows(longest, undefined))
  t.notOk(new AllowedOrigins(['*']).allows(`${longest}a`, undefined), 'too long to be one')
  t.end()
})
