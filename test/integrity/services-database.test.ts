// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the database may be
// restarted, killed, frozen or set read-only, and its connections may be killed in the middle of what they do, commits
// above all. Clients get waits or errors to try again after; no socket closes; nothing is lost, doubled, made up or out
// of order; and all is well soon after.
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { makeDatabase } from '../../compose/services/database.ts'
import { newPassword } from '../../compose/services/mysql-url.ts'
import { startOnServices } from '../harness/processes/on-services.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { ownMariadb } from '../support/own-server.ts'
import { outage } from './scenarios/outage.ts'

/** The database does not answer for this long: longer than any of our processes waits for a statement. */
const frozenMs = 8_000

/** Connections are killed until so many were, and a commit's outcome had to be looked up; this long at most. */
const kills = { min: 100, limitMs: 60_000 }

const readOnlyMs = 3_000

const server = await ownMariadb()
t.teardown(() => server[Symbol.asyncDispose]())
await server.start()
const user = { database: 'holdfast', user: 'holdfast', password: newPassword() }
await makeDatabase(server.url, user)
const store = Object.assign(new URL(server.url), {
  username: user.user,
  password: user.password,
  pathname: user.database,
})
const cluster = await startOnServices(t, { store: store.href })

const unknownCommits = (): Promise<number> => cluster.counter('holdfast_commits_unknown_total')

async function asAdmin<T>(work: (admin: Connection) => Promise<T>): Promise<T> {
  const admin = await createConnection(server.url)
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

/** Kills whatever works for the cluster, again and again, until `isEnough`; returns how often. */
async function killConnections(admin: Connection, isEnough: (killed: number) => Promise<boolean>): Promise<number> {
  let killed = 0
  for (const end = performance.now() + kills.limitMs; performance.now() < end && !(await isEnough(killed));) {
    const [busy] = await admin.query<(RowDataPacket & { id: number })[]>(
      `SELECT id FROM information_schema.processlist WHERE user = ? AND command <> 'Sleep'`,
      [user.user],
    )
    killed += busy.length
    for (const { id } of busy) {
      // It may have ended by itself.
      await admin.query(`KILL CONNECTION ${id}`).catch(() => undefined)
    }
  }
  return killed
}

void t.test('the database fails in every way', async (t) => {
  await underLoad(t, cluster, 'database', async (fleet) => {
    await outage(t, cluster, fleet, {
      name: 'the database is restarted',
      run: async () => {
        await server.stop()
        await server.start()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'the database is killed',
      run: async () => {
        await server.kill()
        await server.start()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'the database is frozen',
      run: async () => {
        server.freeze()
        await sleep(frozenMs)
        server.thaw()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'connections are killed',
      run: async () => {
        const before = await unknownCommits()
        const lookedUp = async () => (await unknownCommits()) - before
        const isEnough = async (killed: number) => killed >= kills.min && (await lookedUp()) > 0
        const killed = await asAdmin((admin) => killConnections(admin, isEnough))
        t.ok(killed >= kills.min, `${killed} connections were killed`)
        const outcomes = await lookedUp()
        t.ok(outcomes > 0, `the outcome of ${outcomes} commits had to be looked up`)
      },
    })
    await outage(t, cluster, fleet, {
      name: 'the database is read-only',
      run: async () => {
        await asAdmin((admin) => admin.query('SET GLOBAL read_only = 1'))
        await sleep(readOnlyMs)
        await asAdmin((admin) => admin.query('SET GLOBAL read_only = 0'))
      },
    })
  })
})
