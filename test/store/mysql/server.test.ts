/**
 * What befalls a whole database server, on one of the test's own: read-only after a failover, killed and started again,
 * spoken to over TLS. Nothing is lost and nothing done twice.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { killDaemon, stopDaemon, type Daemon } from '../../../compose/services/daemon.ts'
import { freePort } from '../../../compose/services/free-port.ts'
import { bringMariadb } from '../../../compose/services/mariadb-programs.ts'
import { adminUser, startMariadb, untilMariadbAnswers, type MariadbOptions } from '../../../compose/services/mariadb.ts'
import { mysqlUrl } from '../../../compose/services/mysql-url.ts'
import { createMetrics } from '../../../observability/metrics.ts'
import { packetBytesMin } from '../../../protocol/records/sizes.ts'
import { slotId } from '../../../protocol/slot.ts'
import { temporaryDirectory } from '../../engine/start-engine.ts'
import { testEnv } from '../../harness/env.ts'
import { commitCalmly } from '../../support/commit-calmly.ts'
import { until } from '../../support/until.ts'
import { channelOf, commitOf, messageOf, own, slot } from '../contract/contract.ts'
import { fixtureOn } from './fixture.ts'

const deadlineMs = 30_000

interface OwnServer {
  /** Of the admin, on a new database. */
  adminUrl: string
  directory: string
  kill(): Promise<void>
  start(): Promise<void>
}

/** `settings` are asked for at each start. */
async function ownServer(
  t: Test,
  settings: (directory: string) => Promise<string[]> = async () => [],
): Promise<OwnServer> {
  const directory = await temporaryDirectory(t)
  const adminPassword = randomBytes(8).toString('hex')
  const options: Omit<MariadbOptions, 'settings'> = {
    ...(await bringMariadb(() => {})),
    directory,
    port: await freePort(),
    adminPassword,
  }
  let server: Daemon | null = null
  const start = async (): Promise<void> => {
    const own = ['--innodb-buffer-pool-size=16M', ...(await settings(directory))]
    server = await startMariadb({ ...options, settings: own })
    await untilMariadbAnswers(server, options)
  }
  await start()
  t.teardown(() => server && stopDaemon(server))
  const database = 'holdfast'
  const login = { user: adminUser, password: adminPassword, port: options.port }
  const admin = await createConnection(mysqlUrl(login))
  await admin.query(`CREATE DATABASE ${database}`)
  await admin.end()
  return {
    adminUrl: mysqlUrl({ ...login, database }),
    directory,
    start,
    async kill() {
      if (server) await killDaemon(server)
    },
  }
}

void t.test('a server that becomes read-only is left, and used again when it takes writes', async (t) => {
  const { adminUrl } = await ownServer(t)
  const { open, admin, rows } = await fixtureOn(t, adminUrl)
  const connections: number[] = []
  const store = open({ events: { connections: (count) => connections.push(count) } })
  await store.createGroup('default', 1, 'origin')
  await own(store)
  t.equal(await store.commit(commitOf({})), 'committed')
  await admin.query('SET GLOBAL read_only = 1')
  const second = commitOf({ expected: 1, next: 2 })
  await t.rejects(store.lease(slot), { code: 'unavailable', message: /read-only/ }, 'it may lag behind')
  await t.rejects(store.commit(second), { code: 'unavailable', hindrance: 'read_only', message: /read-only/ })
  await t.rejects(store.leases(), { code: 'unavailable', message: /read-only/ })
  await until('all connections let go', () => connections.at(-1) === 0, deadlineMs)
  await admin.query('SET GLOBAL read_only = 0')
  t.equal(await store.commit(second), 'committed')
  t.match(await rows('SELECT next_offset FROM lease'), [{ next_offset: 2 }])
  await admin.query(`SET GLOBAL max_allowed_packet = ${packetBytesMin / 2}`)
  const message = /max_allowed_packet at 8388608, where 16777216 is the least/
  await t.rejects(open().leases(), { code: 'damaged', message }, 'nor is one that takes too little at once')
})

void t.test('a commit that meets a server which has just become read-only', async (t) => {
  const { adminUrl } = await ownServer(t)
  const { open, admin } = await fixtureOn(t, adminUrl)
  const store = open()
  await store.createGroup('default', 1, 'origin')
  await own(store)
  t.equal(await store.commit(commitOf({})), 'committed')
  await admin.query('SET GLOBAL read_only = 1')
  await t.rejects(store.commit(commitOf({ expected: 1, next: 2 })), { code: 'unavailable', message: /read-only/ })
  await admin.query('SET GLOBAL read_only = 0')
  t.equal((await store.lease(slot)).nextOffset, 1)
})

void t.test('a server whose disk is full says so once, and when it has room again', async (t) => {
  // All tables in one file that does not grow: what finds no room in it gets the error of a full disk.
  let file = 'ibdata1:12M'
  const server = await ownServer(t, async () => ['--innodb-file-per-table=0', `--innodb-data-file-path=${file}`])
  const { open, admin } = await fixtureOn(t, server.adminUrl)
  await admin.query('CREATE TABLE filler (id INT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB)')
  const told: string[] = []
  const store = open({
    events: {
      away: (what, error) => told.push(`${what} ${error.hindrance}`),
      back: (what) => told.push(`${what} is back`),
    },
  })
  await store.createGroup('default', 1, 'origin')
  await own(store)
  const large = (expected: number) =>
    commitOf({
      expected,
      next: expected + 1,
      channels: [channelOf('room', expected + 1)],
      messages: [{ ...messageOf('room', expected + 1), data: Buffer.alloc(300_000, 'a') }],
    })
  const fill = async (): Promise<void> => {
    for (;;) await admin.query(`INSERT INTO filler (body) VALUES (REPEAT('a', 200000))`)
  }
  await t.rejects(fill(), { code: 'ER_RECORD_FILE_FULL' })
  for (let tries = 0; tries < 3; tries += 1)
    await t.rejects(store.commit(large(0)), { code: 'unavailable', hindrance: 'full' })
  t.equal((await store.leases()).length, 1, 'reading goes on')
  t.same(told, ['room in the database full'])
  file += ':autoextend'
  await server.kill()
  await server.start()
  const committed = async (): Promise<boolean> => (await store.commit(large(0))) === 'committed'
  await until('there is room', committed, deadlineMs)
  t.equal(told.filter((each) => each === 'room in the database is back').length, 1)
})

void t.test('a server that is killed under load and starts again', async (t) => {
  const { adminUrl, kill, start } = await ownServer(t)
  const { open } = await fixtureOn(t, adminUrl)
  const store = open()
  const slots = Array.from({ length: 8 }, (_, index) => slotId('default', index))
  await store.createGroup('default', slots.length, 'origin')
  await Promise.all(slots.map((slot) => own(store, { slot })))
  const metrics = createMetrics()
  const env = testEnv({ store, metrics })
  let acknowledged = 0
  let restarted = false
  const written = await Promise.all(
    slots.map(async (slot) => {
      let last = 0
      // A few more after the restart.
      for (let left = 20; left > 0; left -= restarted ? 1 : 0) {
        const next = last + 1
        const messages = [messageOf('room', next)]
        const change = commitOf({ slot, expected: last, next, channels: [channelOf('room', next)], messages })
        t.equal(await commitCalmly(env, change), 'committed')
        last = next
        acknowledged += 1
        if (acknowledged === 100) void restart()
      }
      return last
    }),
  )
  async function restart(): Promise<void> {
    await kill()
    await start()
    restarted = true
  }
  const unknown = (await metrics.commitsUnknown.get()).values[0]?.value ?? 0
  t.ok(unknown > 0, `${unknown} commits ended without an answer`)
  const all = { channel: 'room', after: 0, before: null, since: 0, limit: 100_000, reverse: false, bytesMax: 1e9 }
  for (const [index, slot] of slots.entries()) {
    const offsets = (await store.messages(slot, all)).map(({ offset }) => offset)
    t.same(
      offsets,
      Array.from({ length: written[index]! }, (_, offset) => offset + 1),
      'each message once',
    )
  }
})

void t.test('over TLS, with a certificate that must be right', async (t) => {
  const { adminUrl, directory } = await ownServer(t, async (directory) => {
    const [key, certificate] = [`${directory}/key.pem`, `${directory}/certificate.pem`]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
    await promisify(execFile)('openssl', [...args, ...subject])
    return [`--ssl-key=${key}`, `--ssl-cert=${certificate}`, '--require-secure-transport=OFF']
  })
  const { open, url, admin } = await fixtureOn(t, adminUrl)
  await admin.query(`ALTER USER '${new URL(url).username}'@'%' REQUIRE SSL`)
  await t.rejects(open().leases(), { code: 'unavailable', message: /denied/i }, 'not without TLS')
  const secure = new URL(url)
  secure.hostname = 'localhost'
  secure.search = `?tls=true&ca=${directory}/certificate.pem`
  t.same(await open({ url: secure.href }).leases(), [])
  secure.search = '?tls=true'
  await t.rejects(open({ url: secure.href }).leases(), { code: 'unavailable', message: /self.signed/i })
})
