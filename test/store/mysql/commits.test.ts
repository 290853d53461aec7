/**
 * Commits of several slots that go in one transaction: each slot gets its own result, and what is wrong with one harms
 * no other. Rows that the database can never take are refused, and those that cannot be read are damage.
 */
import t from 'tap'
import type { SlotId } from '../../../protocol/slot.ts'
import { slotId } from '../../../protocol/slot.ts'
import { commitStatements } from '../../../store/mysql/commit-statements.ts'
import type { MysqlEvents } from '../../../store/mysql/events.ts'
import type { Commit, Store } from '../../../store/store.ts'
import { channelOf, commitOf, messageOf, own } from '../contract/contract.ts'
import { mysqlFixture, type MysqlFixture } from './fixture.ts'
import { asItIs, MysqlProxy, unnamed } from './mysql-proxy.ts'

const slots = Array.from({ length: 12 }, (_, index) => slotId('default', index))

interface Owned {
  store: Store
  joined: Parameters<MysqlEvents['joined']>[]
}

async function ownedSlots({ open }: MysqlFixture): Promise<Owned> {
  const joined: Owned['joined'] = []
  const store = open({ events: { joined: (...values) => joined.push(values) } })
  await store.createGroup('default', slots.length, 'origin')
  await Promise.all(slots.map((slot) => own(store, { slot })))
  return { store, joined }
}

const roomCommit = (slot: SlotId, more: Partial<Commit> = {}): Commit =>
  commitOf({
    slot,
    channels: [channelOf('room', 1)],
    messages: [messageOf('room', 1, { id: slot, idem: Buffer.alloc(16, 7) })],
    interestAdded: [['room', 'proxy']],
    producers: [['proxy.1', 1]],
    outbox: [{ batchEnd: 1, part: 0, inboxes: ['proxy'], body: Buffer.from(slot) }],
    ...more,
  })

/** The state that a slot is in after roomCommit, or without it. */
async function stateOf(store: Store, slot: SlotId): Promise<unknown> {
  const query = { channel: 'room', after: 0, before: null, since: 0, limit: 9, reverse: false, bytesMax: 999 }
  const { nextOffset } = await store.lease(slot)
  const [room] = await store.channels(slot, ['room'])
  return { nextOffset, interest: room?.interest ?? [], ids: (await store.messages(slot, query)).map(({ id }) => id) }
}

const after = (slot: SlotId): unknown => ({ nextOffset: 1, interest: ['proxy'], ids: [slot] })
const before = { nextOffset: 0, interest: [], ids: [] }

void t.test('commits of one turn go in one transaction, one that moves nothing among them', async (t) => {
  const { store, joined } = await ownedSlots(await mysqlFixture(t))
  const still = commitOf({ slot: slots[3]!, next: 0, producers: [['other.1', 5]] })
  const commits = slots.map((slot, index) => (index === 3 ? still : roomCommit(slot)))
  t.same(
    await Promise.all(commits.map((commit) => store.commit(commit))),
    slots.map(() => 'committed'),
  )
  t.same(joined, [[slots.length, false]])
  for (const [index, slot] of slots.entries()) {
    t.same(await stateOf(store, slot), index === 3 ? before : after(slot))
    const { producers, outbox, lease } = await own(store, { slot })
    t.same(producers, [index === 3 ? ['other.1', 5] : ['proxy.1', 1]])
    t.same(
      outbox.map(({ body }) => body.toString()),
      index === 3 ? [] : [slot],
    )
    t.equal(lease.fingerprint, index === 3 ? null : 'fingerprint')
  }
})

void t.test('two commits of one slot never share a transaction', async (t) => {
  const { store, joined } = await ownedSlots(await mysqlFixture(t))
  const [slot, other] = slots as [SlotId, SlotId]
  const results = await Promise.all(
    [roomCommit(slot), roomCommit(slot), roomCommit(other)].map((commit) => store.commit(commit)),
  )
  t.same(results.sort(), ['committed', 'committed', 'fenced'])
  t.ok(joined.every(([count]) => count === 2))
  t.same(await stateOf(store, slot), after(slot))
})

const faults: { what: string; wrong: (slot: SlotId) => Commit; result: string }[] = [
  { what: 'fenced', wrong: (slot) => roomCommit(slot, { token: 'other' }), result: 'fenced' },
  { what: 'of no slot', wrong: () => roomCommit('nowhere/0'), result: 'unknown_slot' },
  {
    what: 'a duplicate message',
    wrong: (slot) => roomCommit(slot, { messages: [messageOf('room', 1), messageOf('room', 1)] }),
    result: 'duplicate',
  },
  {
    what: 'a duplicate key',
    wrong: (slot) => {
      const idem = Buffer.alloc(16, 1)
      return roomCommit(slot, { messages: [messageOf('room', 1, { idem }), messageOf('room', 2, { idem })] })
    },
    result: 'duplicate',
  },
  {
    what: 'in a channel that is not there',
    wrong: (slot) => roomCommit(slot, { messages: [messageOf('nowhere', 1)] }),
    result: 'damaged',
  },
  {
    what: 'with a name that is too long for its column',
    wrong: (slot) => roomCommit(slot, { messages: [messageOf('room', 1, { id: 'x'.repeat(256) })] }),
    result: 'refused',
  },
]

for (const { what, wrong, result } of faults) {
  void t.test(`of commits that go together one is wrong (${what}): the others are made, it is not`, async (t) => {
    const { store, joined } = await ownedSlots(await mysqlFixture(t))
    const results = await Promise.all(
      slots.map((slot, index) =>
        store.commit(index === 4 ? wrong(slot) : roomCommit(slot)).catch((error: { code: string }) => error.code),
      ),
    )
    t.same(
      results,
      slots.map((_, index) => (index === 4 ? result : 'committed')),
    )
    t.same(joined, [[slots.length, true]])
    for (const [index, slot] of slots.entries()) t.same(await stateOf(store, slot), index === 4 ? before : after(slot))
  })
}

void t.test('workers that write their own slots at the same time never wait for each other long', async (t) => {
  const fixture = await mysqlFixture(t)
  await ownedSlots(fixture)
  const retries: string[] = []
  const workers = [0, 1, 2].map(() => fixture.open({ events: { retried: (reason) => void retries.push(reason) } }))
  const rounds = 40
  await Promise.all(
    slots.map(async (slot, index) => {
      const store = workers[index % workers.length]!
      for (let n = 1; n <= rounds; n += 1) {
        const commit = commitOf({
          slot,
          expected: n - 1,
          next: n,
          channels: [channelOf(`room ${n % 5}`, n), channelOf('room', n)],
          messages: [messageOf('room', n, { idem: Buffer.from(`${n}`.padStart(16)) })],
          interestAdded: [['room', `proxy ${n}`]],
          interestRemoved: [['room', `proxy ${n - 1}`]],
          producers: [[`proxy ${n}.1`, n]],
          gone: n % 10 === 0 ? [`proxy ${n - 1}`] : [],
          outbox: [{ batchEnd: n, part: 0, inboxes: ['proxy'], body: Buffer.from(slot) }],
          outboxDone: [{ batchEnd: n - 1, part: 0 }],
        })
        t.equal(await store.commit(commit), 'committed')
      }
    }),
  )
  t.same(retries, [])
})

void t.test('a commit that is more than the server takes at once is refused, and changes nothing', async (t) => {
  const fixture = await mysqlFixture(t)
  const { store } = await ownedSlots(fixture)
  const [found] = await fixture.rows('SELECT @@GLOBAL.max_allowed_packet AS bytes')
  const body = Buffer.alloc(Number(found!['bytes']) / 2, 1)
  const [slot] = slots as [SlotId]
  const large = roomCommit(slot, { outbox: [{ batchEnd: 1, part: 0, inboxes: ['proxy'], body }] })
  await t.rejects(store.commit(large), { code: 'refused' })
  t.same(await stateOf(store, slot), before)
  t.equal(await store.commit(roomCommit(slot)), 'committed')
})

void t.test('nothing that people write leaves its place in a statement', async (t) => {
  const fixture = await mysqlFixture(t)
  const { store } = await ownedSlots(fixture)
  const [slot] = slots as [SlotId]
  const evil = `'; DROP TABLE message; -- \\' \\ \0 " \u2028 ' OR 1=1 \\`
  const message = messageOf(evil, 1, { id: evil, user: evil, info: evil, tags: evil, data: Buffer.from(evil) })
  const commit = commitOf({
    slot,
    channels: [channelOf(evil, 1)],
    messages: [message],
    interestAdded: [[evil, evil]],
    producers: [[evil, 1]],
    deadLetters: [{ offset: 0, reason: evil, record: Buffer.from(evil) }],
    outbox: [{ batchEnd: 1, part: 0, inboxes: [evil], body: Buffer.from(evil) }],
  })
  t.equal(await store.commit(commit), 'committed')
  t.match(await store.channels(slot, [evil]), [{ name: evil, interest: [evil] }])
  const all = { channel: evil, after: 0, before: null, since: 0, limit: 9, reverse: false, bytesMax: 999 }
  t.same(await store.messages(slot, all), [message])
  t.same(await fixture.deadLetters(slot), commit.deadLetters)
  t.match(await own(store, { slot }), { producers: [[evil, 1]], outbox: commit.outbox })
})

void t.test('rows that are not what they should be are damage', async (t) => {
  const fixture = await mysqlFixture(t)
  const { store } = await ownedSlots(fixture)
  const [slot] = slots as [SlotId]
  t.equal(await store.commit(roomCommit(slot)), 'committed')
  await fixture.admin.query(`UPDATE outbox SET inboxes = 'not a list'`)
  const { token, epoch } = await store.lease(slot)
  const acquire = store.acquire({ slot, seen: { token, epoch }, token: 'x', owner: 'x', version: 'x', announced: null })
  await t.rejects(acquire, { code: 'damaged' })
  await fixture.admin.query(`UPDATE message SET kind = 'unheard of'`)
  await t.rejects(stateOf(store, slot), { code: 'damaged' })
})

void t.test('a commit has one answer of MariaDB, and of MySQL one for each statement', async (t) => {
  const fixture = await mysqlFixture(t)
  const [version] = await fixture.rows('SELECT VERSION() AS version')
  const isMariadb = String(version!['version']).includes('MariaDB')
  const [slot] = slots as [SlotId]
  const statements = commitStatements([roomCommit(slot)]).length
  t.ok(statements > 8)
  const { store: owner } = await ownedSlots(fixture)
  for (const [index, name] of [asItIs, unnamed].entries()) {
    let said = Buffer.alloc(0)
    const proxy = await MysqlProxy.start(t, fixture.url, (chunk) => {
      said = Buffer.concat([said, chunk])
      return name(chunk)
    })
    const store = fixture.open({ url: proxy.url })
    // The connection is there then.
    t.equal(await store.commit(commitOf({ slot: slots[index]!, next: 0 })), 'committed')
    said = Buffer.alloc(0)
    t.equal(await store.commit(roomCommit(slots[index]!)), 'committed')
    let packets = 0
    for (let at = 0; at < said.length; packets += 1) at += 4 + said.readUIntLE(at, 3)
    t.equal(packets, isMariadb && index === 0 ? 1 : statements)
    t.same(await stateOf(owner, slots[index]!), after(slots[index]!))
  }
})
