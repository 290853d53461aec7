/**
 * The tables are brought up to date once however many processes try, go on where an attempt was cut short, and serve
 * programs of two neighbouring versions; users can do what is documented and nothing else.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { migrationGrants, runtimeGrants } from '../../../store/mysql/grants.ts'
import { migrate } from '../../../store/mysql/migrate.ts'
import { migrations, type Migration } from '../../../store/mysql/migrations.ts'
import { openMysqlStore } from '../../../store/mysql/mysql-store.ts'
import { parseMysqlUrl } from '../../../store/mysql/url.ts'
import { cleanEnvironment } from '../../support/process.ts'
import { own } from '../contract/contract.ts'
import { mysqlFixture, type MysqlFixture } from './fixture.ts'

const migrateProcess = fileURLToPath(new URL('migrate-process.ts', import.meta.url))
const known = migrations.length

const addition: Migration = {
  compatibleFrom: 1,
  statements: ['ALTER TABLE channel ADD COLUMN topic VARBINARY(255)', 'CREATE TABLE extra (id INT PRIMARY KEY)'],
}

/** A database with the users of a fixture and no tables. */
async function empty(t: Test): Promise<MysqlFixture> {
  const fixture = await mysqlFixture(t)
  const tables = await fixture.rows('SHOW TABLES')
  await fixture.admin.query(`DROP TABLE ${tables.flatMap((row) => Object.values(row) as string[]).join()}`)
  return fixture
}

void t.test('four processes migrate at the same time', async (t) => {
  const { migrationUrl, rows } = await empty(t)
  await Promise.all(
    Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [migrateProcess, migrationUrl], { env: cleanEnvironment() }),
    ),
  )
  t.equal((await rows('SELECT * FROM schema_version')).length, known)
  t.equal((await rows('SELECT * FROM lease')).length, 8)
})

void t.test('a migration that was cut short is finished', async (t) => {
  const { admin, migrationUrl, open } = await empty(t)
  for (const statement of migrations[0]!.statements.slice(0, 5)) await admin.query(statement)
  const store = open({ url: migrationUrl })
  await store.migrate()
  t.equal(await store.createGroup('default', 1, 'origin'), 1)
  t.match(await own(store), { lease: { epoch: 1 } })
})

void t.test('a program goes on with tables that a newer one has added to, until they are too new', async (t) => {
  const { open, migrationUrl, rows, admin, url } = await mysqlFixture(t)
  const target = parseMysqlUrl(migrationUrl)
  await migrate(target, [...migrations, addition])
  t.match(await rows('SELECT MAX(version) AS version FROM schema_version'), [{ version: known + 1 }])
  const store = open()
  await store.migrate()
  await store.createGroup('default', 1, 'origin')
  t.match(await own(store), { lease: { epoch: 1 } })
  const removal: Migration = { compatibleFrom: known + 1, statements: ['DROP TABLE extra'] }
  await migrate(target, [...migrations, addition, removal])
  const tooNew = {
    code: 'damaged',
    message: new RegExp(`need a program that knows ${known + 1}; this one knows ${known}`),
  }
  await t.rejects(store.migrate(), tooNew)
  await migrate(parseMysqlUrl(url), [...migrations, addition])
  await admin.query('DELETE FROM schema_version')
  await t.rejects(store.migrate(), { code: 'damaged', message: /run `holdfast migrate`/ })
})

void t.test('a step that finds its work done passes over it', async (t) => {
  const { migrationUrl, admin } = await mysqlFixture(t)
  await admin.query(addition.statements[0]!)
  await migrate(parseMysqlUrl(migrationUrl), [...migrations, addition])
  await t.resolves(admin.query('SELECT topic FROM channel JOIN extra ON extra.id = 1'))
})

void t.test('a user without the right to change tables', async (t) => {
  const { open, url } = await mysqlFixture(t)
  await open().migrate()
  t.pass('needs none while there is nothing to do')
  await t.rejects(migrate(parseMysqlUrl(url), [...migrations, addition]), { message: /run `holdfast migrate`/ })
  const bare = await empty(t)
  await t.rejects(bare.open().migrate(), { code: 'damaged', message: /run `holdfast migrate`/ })
})

void t.test('the user of workers can change no message, no table, and see nothing else', async (t) => {
  const { url, admin, rows } = await mysqlFixture(t)
  const database = new URL(url).pathname.slice(1)
  const user = new URL(url).username
  const connection = await createConnection(url)
  t.teardown(() => connection.destroy())
  const forbidden = [
    'DELETE FROM message',
    "UPDATE message SET payload = ''",
    'DELETE FROM message_key',
    'DELETE FROM lease',
    'DELETE FROM dead_letter',
    'INSERT INTO schema_version VALUES (99, 99)',
    'CREATE TABLE more (id INT)',
    'ALTER TABLE channel ADD COLUMN more INT',
    'DROP TABLE message',
    'TRUNCATE TABLE outbox',
    'SELECT * FROM mysql.user',
    "CREATE USER 'more'@'%'",
    'SET GLOBAL max_connections = 10',
  ]
  for (const statement of forbidden)
    await t.rejects(connection.query(statement), { message: /denied|Access/ }, statement)
  const granted = await rows(`SHOW GRANTS FOR '${user}'@'%'`)
  t.equal(granted.length, runtimeGrants(database, { user, host: '%' }).length + 1, 'and the right to connect')
  await t.resolves(admin.query('SELECT 1'))
})

void t.test('the documentation has the grants as they are', async (t) => {
  const text = readFileSync(new URL('../../../docs/mysql.md', import.meta.url), 'utf8')
  const grants = [
    ...migrationGrants('holdfast', { user: 'holdfast_migrate', host: '%' }),
    ...runtimeGrants('holdfast', { user: 'holdfast', host: '%' }),
  ]
  for (const grant of grants) t.ok(text.includes(`${grant};\n`), grant)
  t.equal(text.match(/^GRANT /gm)?.length, grants.length)
})

void t.test(
  'a database that refuses its user, or is not there, is for a person at a start, and away while we run',
  async (t) => {
    const { url } = await mysqlFixture(t)
    for (const [part, value] of [
      ['password', 'wrong'],
      ['pathname', '/nowhere'],
    ] as const) {
      const wrong = new URL(url)
      wrong[part] = value
      const store = openMysqlStore(wrong.href)
      await t.rejects(store.migrate(), { code: 'damaged', message: /denied/i })
      await t.rejects(store.leases(), { code: 'unavailable', message: /denied/i })
      await store.close()
    }
  },
)

void t.test('rights that are taken away while we run are told once, and found again', async (t) => {
  const { open, url, admin, rows } = await mysqlFixture(t)
  const told: string[] = []
  const store = open({
    events: { away: (what) => told.push(`away ${what}`), back: (what) => told.push(`back ${what}`) },
  })
  await store.createGroup('default', 1, 'origin')
  const account = `'${new URL(url).username}'@'%'`
  const grants = (await rows(`SHOW GRANTS FOR ${account}`)).flatMap((row) => Object.values(row) as string[])
  await admin.query(`REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${account}`)
  for (let tries = 0; tries < 3; tries += 1)
    await t.rejects(store.leases(), { code: 'unavailable', message: /denied/i }, 'tried again above')
  t.same(told, ['away database'])
  for (const grant of grants) await admin.query(grant)
  t.equal((await store.leases()).length, 1)
  t.same(told, ['away database', 'back database'])
})
