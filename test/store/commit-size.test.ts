// Proves that what a commit counts for is never less than half of the statements that MySQL gets for it, whatever is in
// its rows, so that a commit within its bound fits the least packet that a server must take.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { commitBytesMax, packetBytesMin } from '../../protocol/records/sizes.ts'
import { commitBytes } from '../../store/commit-size.ts'
import { jointBytesMax, jointSlotsMax } from '../../store/mysql/commit-queue.ts'
import { commitStatements } from '../../store/mysql/commit-statements.ts'
import type { Commit } from '../../store/store.ts'
import { holds } from '../support/holds.ts'
import { commitOf } from './contract/rows.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom("'", '\\', '\0', '"', '한').map((unit) => unit.repeat(255)),
)
const bytes = fc.nat(400).map((length) => Buffer.alloc(length, 1))
const integer = fc.maxSafeNat()
const some = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 6 })
const pair = fc.tuple(text, text)
const place = { batchEnd: integer, part: fc.nat() }
const names = fc.array(text, { minLength: 1, maxLength: 4 })

const commit: fc.Arbitrary<Commit> = fc
  .record({
    slot: fc.constantFrom('default/0', 'default/1023'),
    token: fc.constant('0123456789abcdef0123456789abcdef'),
    expected: integer,
    next: integer,
    channels: some(fc.record({ name: text, epoch: text, top: integer, lastTime: integer })),
    messages: some(
      fc.record({
        channel: text,
        offset: integer,
        id: text,
        kind: fc.constant('message' as const),
        user: text,
        data: bytes,
        info: fc.option(text),
        tags: fc.option(text),
        time: integer,
        idem: fc.option(fc.constant(Buffer.alloc(16))),
      }),
    ),
    interestAdded: some(pair),
    interestRemoved: some(pair),
    producers: some(fc.tuple(text, integer)),
    gone: some(text),
    outbox: some(fc.record({ ...place, inboxes: names, body: bytes })),
    outboxDone: some(fc.record(place)),
    outboxNarrowed: some(fc.record({ ...place, inboxes: names })),
    deadLetters: some(fc.record({ offset: integer, reason: text, record: bytes })),
  })
  .map((given) => commitOf(given))

const requestBytes = (commits: Commit[]) =>
  Buffer.byteLength(
    commitStatements(commits)
      .map((statement) => statement.text)
      .join(';'),
  )

void t.test('whatever is in it', async (t) => {
  holds(
    t,
    fc.property(commit, (commit) => {
      assert.ok(requestBytes([commit]) <= 2 * commitBytes(commit))
    }),
  )
})

void t.test('lists of names that take most where they are JSON', async (t) => {
  const names = ["'", '\\', '\0', '"', '\u001f', '한', '\ud800'].map((unit) => unit.repeat(255))
  for (const name of names) {
    const row = { batchEnd: 0, part: 0, inboxes: [name, name, name, name] }
    for (const given of [{ outboxNarrowed: [row] }, { outbox: [{ ...row, body: Buffer.alloc(0) }] }]) {
      const commit = commitOf(given)
      t.ok(requestBytes([commit]) <= 2 * commitBytes(commit), JSON.stringify(name[0]))
    }
  }
})

void t.test('a request is below the least packet', async (t) => {
  t.ok(2 * commitBytesMax < packetBytesMin)
  t.ok(2 * jointBytesMax < packetBytesMin)
  const commits = Array.from({ length: jointSlotsMax }, (_, index) => commitOf({ slot: `default/${index}` }))
  t.ok(requestBytes(commits) <= 2 * commits.reduce((sum, commit) => sum + commitBytes(commit), 0))
})
