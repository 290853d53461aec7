/**
 * Whatever happens between a process and its database, a commit takes effect once: rows held by somebody else,
 * deadlocks, connections that are killed or cut before, in and after it, answers that do not come.
 */
import t, { type Test } from 'tap'
import { systemClock } from '../../../platform/clock.ts'
import { commitSessionsMax, requestSessionsMax } from '../../../store/mysql/database.ts'
import { Session } from '../../../store/mysql/session.ts'
import { sql } from '../../../store/mysql/sql.ts'
import { fencedTransaction } from '../../../store/mysql/transaction.ts'
import { parseMysqlUrl } from '../../../store/mysql/url.ts'
import type { Commit, Store } from '../../../store/store.ts'
import type { Committed } from '../../../worker/slot/commit.ts'
import { testEnv } from '../../harness/env.ts'
import { commitCalmly } from '../../support/commit-calmly.ts'
import { until } from '../../support/until.ts'
import { channelOf, commitOf, messageOf, own, slot } from '../contract/contract.ts'
import { mysqlFixture, type MysqlFixture } from './fixture.ts'
import { MysqlProxy, type Cut } from './mysql-proxy.ts'

const deadlineMs = 20_000

async function ownedSlot({ open }: MysqlFixture): Promise<Store> {
  const store = open()
  await store.createGroup('default', 2, 'origin')
  await own(store)
  return store
}

/** The nth message of a room, from place n - 1 to n. */
const nth = (n: number): Commit =>
  commitOf({
    expected: n - 1,
    next: n,
    channels: [channelOf('room', n)],
    messages: [messageOf('room', n)],
    producers: [['p.1', n]],
  })

/** As a worker does it. */
const asWorker = (store: Store, change: Commit): Promise<Committed> => commitCalmly(testEnv({ store }), change)

async function holds(t: Test, { rows }: MysqlFixture, messages: number): Promise<void> {
  t.match(await rows('SELECT COUNT(*) AS messages FROM message'), [{ messages }], `each message once`)
  t.match(await rows(`SELECT next_offset FROM lease WHERE slot = '${slot}'`), [{ next_offset: messages }])
}

/** Waits until so many transactions wait for a row. */
const untilWaiting = ({ rows }: MysqlFixture, count: number): Promise<unknown> =>
  until(
    'a transaction that waits for a row',
    async () => {
      // The server shows what it showed before to who asks again within 100 ms.
      await systemClock.sleep(150)
      const waiting = await rows(`SELECT 1 FROM information_schema.innodb_trx
        JOIN information_schema.processlist ON processlist.id = innodb_trx.trx_mysql_thread_id
        WHERE innodb_trx.trx_state = 'LOCK WAIT' AND processlist.db = DATABASE()`)
      return waiting.length >= count
    },
    deadlineMs,
  )

void t.test('a commit that waits too long for a row is made again', async (t) => {
  const fixture = await mysqlFixture(t)
  await ownedSlot(fixture)
  const waited = Promise.withResolvers<string>()
  const store = fixture.open({ events: { retried: waited.resolve } })
  await fixture.admin.query(`START TRANSACTION`)
  await fixture.admin.query(`SELECT * FROM lease WHERE slot = '${slot}' FOR UPDATE`)
  const commit = store.commit(nth(1))
  t.equal(await waited.promise, 'lock_wait')
  await fixture.admin.query('COMMIT')
  t.equal(await commit, 'committed')
  await holds(t, fixture, 1)
})

void t.test('a commit that loses a deadlock is made again, as a whole', async (t) => {
  const fixture = await mysqlFixture(t)
  const { admin } = fixture
  t.equal(await (await ownedSlot(fixture)).commit(nth(1)), 'committed')
  const retries: string[] = []
  const store = fixture.open({ events: { retried: (reason) => void retries.push(reason) } })
  // The server undoes the transaction that has changed less.
  await admin.query('CREATE TABLE weight (id INT PRIMARY KEY)')
  await admin.query('START TRANSACTION')
  await admin.query(`INSERT INTO weight VALUES ${Array.from({ length: 200 }, (_, id) => `(${id})`).join()}`)
  await admin.query('SELECT * FROM producer FOR UPDATE')
  const commit = store.commit(nth(2))
  await untilWaiting(fixture, 1)
  await admin.query(`SELECT * FROM lease WHERE slot = '${slot}' FOR UPDATE`)
  await admin.query('COMMIT')
  t.equal(await commit, 'committed')
  t.ok(retries.includes('deadlock'), `made again after ${retries.join()}`)
  await holds(t, fixture, 2)
})

void t.test('a connection that an administrator kills, idle or in a commit', async (t) => {
  const fixture = await mysqlFixture(t)
  const { admin, rows } = fixture
  const store = await ownedSlot(fixture)
  t.equal(await store.commit(nth(1)), 'committed')
  const killAll = async (): Promise<void> => {
    const user = new URL(fixture.url).username
    for (const { id } of await rows(`SELECT id FROM information_schema.processlist WHERE user = '${user}'`))
      await admin.query(`KILL CONNECTION ${id}`)
  }
  await killAll()
  t.equal(await asWorker(store, nth(2)), 'committed')
  await admin.query('START TRANSACTION')
  await admin.query('SELECT * FROM producer FOR UPDATE')
  const killed = t.rejects(store.commit(nth(3)), { code: 'unavailable' })
  await untilWaiting(fixture, 1)
  await killAll()
  await killed
  await admin.query('COMMIT')
  t.equal((await store.lease(slot)).nextOffset, 2, 'undone')
  t.equal(await asWorker(store, nth(3)), 'committed')
  await holds(t, fixture, 3)
})

void t.test(
  'a connection cut before, in and after a commit: the outcome is learnt, nothing is done twice',
  async (t) => {
    const fixture = await mysqlFixture(t)
    const proxy = await MysqlProxy.start(t, fixture.url)
    await ownedSlot(fixture)
    const store = fixture.open({ url: proxy.url })
    let n = 0
    for (const where of ['before', 'half', 'after', 'answer'] satisfies Cut[]) {
      n += 1
      const cut = proxy.cutNext('INSERT INTO message', where)
      await Promise.all([t.rejects(store.commit(nth(n)), { code: 'unavailable' }, `cut ${where} it`), cut])
      const { nextOffset } = await store.lease(slot)
      if (where === 'answer') t.equal(nextOffset, n)
      else if (where === 'after') t.ok([n - 1, n].includes(nextOffset))
      else t.equal(nextOffset, n - 1)
      if (nextOffset < n) t.equal(await store.commit(nth(n)), 'committed', 'what the lease said is still so')
      n += 1
      const again = proxy.cutNext('INSERT INTO message', where)
      t.equal(await asWorker(store, nth(n)), 'committed', `cut ${where} it, as a worker sees it`)
      await again
    }
    await holds(t, fixture, n)
  },
)

void t.test(
  'a commit that hangs at the server after its connection was cut is ended before the lease is read',
  async (t) => {
    const fixture = await mysqlFixture(t)
    const { admin } = fixture
    const proxy = await MysqlProxy.start(t, fixture.url)
    const direct = await ownedSlot(fixture)
    t.equal(await direct.commit(nth(1)), 'committed')
    const store = fixture.open({ url: proxy.url })
    await admin.query('START TRANSACTION')
    await admin.query('SELECT * FROM producer FOR UPDATE')
    const cut = proxy.cutNext('INSERT INTO message', 'after')
    await Promise.all([t.rejects(store.commit(nth(2)), { code: 'unavailable' }), cut])
    await untilWaiting(fixture, 1)
    t.equal((await store.lease(slot)).nextOffset, 1)
    await admin.query('COMMIT')
    t.equal(await store.commit(nth(2)), 'committed')
    await holds(t, fixture, 2)
  },
)

void t.test('the lease is read after a commit of another process that is under way', async (t) => {
  const fixture = await mysqlFixture(t)
  const { admin } = fixture
  const store = await ownedSlot(fixture)
  t.equal(await store.commit(nth(1)), 'committed')
  await admin.query('START TRANSACTION')
  await admin.query('SELECT * FROM producer FOR UPDATE')
  const commit = store.commit(nth(2))
  await untilWaiting(fixture, 1)
  const lease = fixture.open().lease(slot)
  await untilWaiting(fixture, 2)
  await admin.query('COMMIT')
  t.equal((await lease).nextOffset, 2)
  t.equal(await commit, 'committed')
})

void t.test('a database that does not answer: requests and those who wait for a connection end in time', async (t) => {
  const fixture = await mysqlFixture(t)
  const proxy = await MysqlProxy.start(t, fixture.url)
  await ownedSlot(fixture)
  const waiting: number[] = []
  const connections: number[] = []
  const store = fixture.open({
    url: proxy.url,
    events: { requests: (_, count) => waiting.push(count), connections: (open) => connections.push(open) },
  })
  await Promise.all(Array.from({ length: requestSessionsMax }, () => store.leases()))
  proxy.stop()
  const stuck = Array.from({ length: requestSessionsMax + 2 }, () => store.leases())
  const commit = store.commit(nth(1))
  const ends = await Promise.allSettled([...stuck, commit])
  t.ok(ends.every((end) => end.status === 'rejected' && (end.reason as { code: string }).code === 'unavailable'))
  t.equal(Math.max(...waiting), 2)
  t.ok(Math.max(...connections) <= requestSessionsMax + commitSessionsMax)
  await until('the end of connections that did not answer', () => connections.at(-1) === 0, deadlineMs)
  proxy.resume()
  t.equal(await asWorker(store, nth(1)), 'committed')
  await holds(t, fixture, 1)
})

void t.test('a server that takes no more connections', async (t) => {
  const fixture = await mysqlFixture(t)
  const store = await ownedSlot(fixture)
  const limit = (max: number): Promise<unknown> =>
    fixture.admin.query(`ALTER USER '${new URL(fixture.url).username}'@'%' WITH MAX_USER_CONNECTIONS ${max}`)
  await limit(1)
  const ends = await Promise.allSettled(Array.from({ length: 3 }, () => fixture.open().leases()))
  const refused = ends.filter((end) => end.status === 'rejected')
  t.ok(refused.length >= 2)
  t.ok(refused.every(({ reason }) => (reason as { code: string }).code === 'unavailable'))
  await limit(0)
  t.equal((await fixture.open().leases()).length, 2)
  t.equal((await store.leases()).length, 2)
})

void t.test('a process that freezes before it can roll back does not keep its rows', async (t) => {
  const fixture = await mysqlFixture(t)
  const store = await ownedSlot(fixture)
  const session = await Session.open(parseMysqlUrl(fixture.url))
  t.teardown(() => session.destroy())
  const update = sql`UPDATE lease SET next_offset = next_offset WHERE slot = ${slot}`
  await t.rejects(session.query(fencedTransaction(update, 1, [sql`SELECT nothing FROM lease`])), {
    name: 'Failure',
    message: /Unknown column/,
  })
  // Nobody rolls back: the row is locked until the server ends the connection.
  await t.rejects(fixture.rows(`SELECT 1 FROM lease WHERE slot = '${slot}' FOR UPDATE NOWAIT`))
  await session.closed
  t.equal(await store.commit(nth(1)), 'committed')
})

void t.test('each connection is set up as the store needs it', async (t) => {
  const { url, rows } = await mysqlFixture(t)
  const session = await Session.open(parseMysqlUrl(url))
  const [found] = await session.query([
    sql`SELECT @@SESSION.sql_mode AS sql_mode, @@SESSION.innodb_lock_wait_timeout AS lock_wait, @@SESSION.autocommit AS autocommit`,
  ])
  t.match(found, [{ sql_mode: /STRICT_ALL_TABLES/, lock_wait: 1, autocommit: 1 }])
  t.notMatch(found, [{ sql_mode: /NO_BACKSLASH_ESCAPES/ }])
  await session.close()
  t.ok(session.broken)
  t.match(await rows('SELECT 1 AS one'), [{ one: 1 }])
})
