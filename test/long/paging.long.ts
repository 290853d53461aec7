/**
 * Pages of a room of a million messages in a real database: the first, the last and those between cost the same, and
 * each is a range of the primary key. Prints what they took.
 */
import t, { type Test } from 'tap'
import { pageStatement } from '../../store/mysql/channels.ts'
import type { MessageQuery } from '../../store/store.ts'
import { channelOf, commitOf, messageOf, own, slot } from '../store/contract/contract.ts'
import { mysqlFixture, type MysqlFixture } from '../store/mysql/fixture.ts'

const firstRows = 1_000
const doublings = 10
const total = firstRows * 2 ** doublings
const pageRows = 100
const tries = 20

/** No page takes longer, in the middle of its tries; reading a million rows takes seconds. */
const pageLimitMs = 100

async function filled(t: Test): Promise<MysqlFixture> {
  const fixture = await mysqlFixture(t)
  const store = fixture.open()
  await store.createGroup('default', 1, 'origin')
  await own(store)
  const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(150) }))
  const messages = Array.from({ length: firstRows }, (_, index) => messageOf('room', index + 1, { data }))
  await store.commit(commitOf({ channels: [channelOf('room', total)], messages }))
  for (let rows = firstRows; rows < total; rows *= 2)
    await fixture.admin.query(`INSERT INTO message SELECT channel_id, channel_offset + ${rows}, id, kind, user_id,
      payload, info, tags, sent_at + ${rows}, idem FROM message WHERE channel_offset <= ${rows}`)
  await fixture.admin.query('ANALYZE TABLE message')
  return fixture
}

void t.test('a million messages are paged', { timeout: 600_000 }, async (t) => {
  const { open, rows, explain } = await filled(t)
  t.match(await rows('SELECT COUNT(*) AS messages FROM message'), [{ messages: total }])
  const store = open()
  const all = { channel: 'room', after: 0, before: null, since: 0, limit: pageRows, reverse: false, bytesMax: 800_000 }
  const middle = total / 2
  const pages: { what: string; query: MessageQuery; first: number }[] = [
    { what: 'first', query: all, first: 1 },
    { what: 'middle', query: { ...all, after: middle }, first: middle + 1 },
    { what: 'middle, backwards', query: { ...all, before: middle, reverse: true }, first: middle - 1 },
    { what: 'last', query: { ...all, reverse: true }, first: total },
    { what: 'last, only what is new', query: { ...all, since: 1_000 + total - 50, reverse: true }, first: total },
    { what: 'after the last but 50', query: { ...all, after: total - 50 }, first: total - 49 },
  ]
  for (const { what, query, first } of pages) {
    const took: number[] = []
    for (let count = 0; count < tries; count += 1) {
      const start = performance.now()
      const page = await store.messages(slot, query)
      took.push(performance.now() - start)
      if (count === 0) t.equal(page[0]?.offset, first, what)
    }
    took.sort((a, b) => a - b)
    const [median, slowest] = [took[tries / 2]!, took.at(-1)!]
    t.comment(`page ${what}: median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms`)
    t.ok(median < pageLimitMs, what)
    const [plan] = await explain(pageStatement(slot, query))
    t.match(plan, { key: 'PRIMARY', type: 'range' })
    t.notMatch(String(plan!['Extra']), /filesort|temporary/)
  }
})
