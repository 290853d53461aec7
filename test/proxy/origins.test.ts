/**
 * Proves which pages may connect: what a pattern means, whatever it and the origin are made of, and that no origin costs
 * more than a look through it.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { AllowedOrigins, originLengthMax } from '../../proxy/origins.ts'

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

void t.test('an origin is looked through once, whatever the pattern', (t) => {
  const longest = `https://${'a'.repeat(originLengthMax - 8)}`
  // Whoever tries again with each `a` for each `*` is not done before the end of the world.
  const origins = new AllowedOrigins([`https://${'*a'.repeat(40)}*.example`, `${'*a'.repeat(40)}b`])
  t.notOk(origins.allows(longest, undefined))
  t.ok(new AllowedOrigins(['https://*']).allows(longest, undefined))
  t.notOk(new AllowedOrigins(['*']).allows(`${longest}a`, undefined), 'too long to be one')
  t.end()
})
