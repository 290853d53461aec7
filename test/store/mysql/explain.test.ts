/**
 * How the server reads: pages are ranges of the primary key in its order, nothing is sorted and no row is read that is
 * not asked for; what a commit changes is found by key, never by going through a table that other slots write.
 */
import type { RowDataPacket } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { slotId } from '../../../protocol/slot.ts'
import { channelsStatement, firstPageRows, keysStatement, pageStatement } from '../../../store/mysql/channels.ts'
import { commitStatements } from '../../../store/mysql/commit-statements.ts'
import type { Sql } from '../../../store/mysql/sql.ts'
import type { MessageQuery } from '../../../store/store.ts'
import { channelOf, commitOf, messageOf, own, slot } from '../contract/contract.ts'
import { mysqlFixture, type MysqlFixture } from './fixture.ts'

const rooms = ['a', 'b', 'c', 'd']
const perRoom = 1_000
const idemOf = (offset: number): Buffer => Buffer.alloc(16, `key ${offset}`)

async function filled(t: Test): Promise<MysqlFixture> {
  const fixture = await mysqlFixture(t)
  const store = fixture.open()
  await store.createGroup('default', 64, 'origin')
  await own(store)
  for (const [index, room] of rooms.entries())
    await store.commit(
      commitOf({
        expected: index,
        next: index + 1,
        channels: [channelOf(room, perRoom)],
        messages: Array.from({ length: perRoom }, (_, n) => messageOf(room, n + 1, { idem: idemOf(n) })),
        interestAdded: Array.from({ length: 50 }, (_, n) => [room, `proxy ${n}`]),
        outbox: [{ batchEnd: index + 1, part: 0, inboxes: ['p'], body: Buffer.from('x') }],
      }),
    )
  await fixture.admin.query('ANALYZE TABLE lease, channel, message, message_key, interest, outbox, producer')
  return fixture
}

const pages: { what: string; query: Partial<MessageQuery> }[] = [
  { what: 'the first', query: {} },
  { what: 'the last', query: { reverse: true } },
  { what: 'one in the middle', query: { after: 400, before: 900 } },
  { what: 'one in the middle, backwards', query: { after: 100, before: 600, reverse: true } },
  { what: 'one from a time on', query: { since: 1_100 } },
]

const pageOf = (query: Partial<MessageQuery>): Sql =>
  pageStatement(slot, {
    channel: 'b',
    after: 0,
    before: null,
    since: 0,
    limit: firstPageRows,
    reverse: false,
    bytesMax: 1,
    ...query,
  })

void t.test('a page is a range of the primary key', async (t) => {
  const { explain } = await filled(t)
  for (const { what, query } of pages) {
    const plan = await explain(pageOf(query))
    t.match(plan, [{ table: 'message', key: 'PRIMARY', type: 'range' }], what)
    t.notMatch(String(plan[0]!['Extra']), /filesort|temporary/, what)
    t.equal(plan.length, 1)
  }
})

void t.test('a page reads its own rows and no others', async (t) => {
  const { rows } = await filled(t)
  const readSoFar = async (): Promise<number> =>
    (
      await rows(`SHOW SESSION STATUS WHERE Variable_name IN
      ('Handler_read_key', 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd_next', 'Handler_read_first')`)
    )
      .map((row) => Number(row['Value']))
      .reduce((sum, value) => sum + value, 0)
  // To look reads some rows of its own.
  const look = -(await readSoFar()) + (await readSoFar())
  for (const { what, query } of pages.slice(0, 4)) {
    const before = await readSoFar()
    t.equal((await rows(pageOf(query).text)).length, firstPageRows)
    const read = (await readSoFar()) - before - look
    t.ok(read <= firstPageRows + 1, `${what}: ${read} rows read for ${firstPageRows}`)
  }
})

void t.test('channels and keys are looked up by their primary keys', async (t) => {
  const { explain } = await filled(t)
  const access = (plan: RowDataPacket[]): string[] =>
    plan.map(({ table, key, type }) => `${String(table)} ${String(key)} ${String(type)}`)
  const channels = access(await explain(channelsStatement(slot, ['b', 'c', 'nowhere'])))
  t.ok(channels.includes('interest PRIMARY ref'), channels.join())
  const keys = Array.from({ length: 100 }, (_, n) => ({ channel: rooms[n % 4]!, idem: idemOf(n) }))
  const found = access(await explain(keysStatement(slot, keys)))
  t.ok(found.includes('message_key PRIMARY range'), found.join())
  t.ok(found.includes('message PRIMARY eq_ref'), found.join())
})

void t.test('what a commit changes or removes is found by its primary key, however small a table is', async (t) => {
  const { explain } = await filled(t)
  const some = { expected: 4, next: 5, outboxDone: [1, 2, 3].map((batchEnd) => ({ batchEnd, part: 0 })) }
  const commits = [0, 1, 2].map((partition) =>
    commitOf({
      ...some,
      slot: slotId('default', partition),
      interestRemoved: rooms.map((room) => [room, 'proxy 7']),
      outboxNarrowed: [{ batchEnd: 4, part: 0, inboxes: [] }],
      gone: ['proxy 8', 'proxy 9'],
      channelsRemoved: rooms,
    }),
  )
  const changes = [...commitStatements(commits), ...commitStatements(commits.slice(0, 1))].filter(({ text }) =>
    /^(UPDATE|DELETE)/.test(text),
  )
  // Fence, interest (twice), channel, outbox; the producers of two instances and one narrowed row for each slot.
  t.equal(changes.length, 5 + 3 * 3 + (5 + 3))
  for (const change of changes) {
    const plan = await explain(change)
    const changed = plan.filter(({ table }) => table !== null && !String(table).startsWith('<'))
    // `ref` is by slot: rows of this slot alone.
    t.match(changed, [{ key: 'PRIMARY', type: /^(range|const|eq_ref|ref)$/ }], change.text.slice(0, 40))
    t.equal(changed.length, 1)
  }
})
