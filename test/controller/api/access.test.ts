// Proves that a token has its role and no other, and that what a caller says of itself is cut down to what can be kept.
import t from 'tap'
import { callerNameMax, callerOf, roleOf } from '../../../controller/api/access.ts'

void t.test('a token has one role', async (t) => {
  const tokens = { write: 'w'.repeat(64), read: 'r'.repeat(64) }
  t.equal(roleOf(`Bearer ${tokens.write}`, tokens), 'write')
  t.equal(roleOf(`Bearer ${tokens.read}`, tokens), 'read')
  for (const header of [undefined, '', 'Bearer ', tokens.write, `bearer ${tokens.write}`, `Bearer ${tokens.read}r`])
    t.equal(roleOf(header, tokens), null, header ?? 'no header')
})

void t.test('an empty token lets nobody in', async (t) => {
  for (const header of ['Bearer ', 'Bearer', '', undefined]) {
    t.equal(roleOf(header, { write: '', read: '' }), null)
    t.equal(roleOf(header, { write: '', read: 'x' }), null)
  }
})

void t.test('the same token for both writes', async (t) => {
  t.equal(roleOf('Bearer x', { write: 'x', read: 'x' }), 'write')
})

void t.test('who asks', async (t) => {
  t.same(callerOf('write', undefined), { role: 'write', who: 'write' })
  t.same(callerOf('read', 'ada@desk'), { role: 'read', who: 'read:ada@desk' })
  t.equal(callerOf('write', 'a\r\nb\u0000c\u202ed').who, 'write:a b c d')
  t.equal(callerOf('write', ['first', 'second']).who, 'write:first')
  t.equal(callerOf('write', '\u00e9').who, 'write')
  t.equal(callerOf('write', 'x'.repeat(10_000)).who.length, 'write:'.length + callerNameMax)
})
