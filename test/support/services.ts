/** Kafka and MySQL that all tests share. */
import { randomBytes } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { makeDatabase } from '../../compose/services/database.ts'
import { connectMysql } from '../../compose/services/mysql-connection.ts'
import { newPassword } from '../../compose/services/mysql-url.ts'
import { parseKafkaUrl } from '../../log/kafka/url.ts'

/**
 * The real services of the tests, shared by all of them: every test works under a prefix of its own on the one and in a
 * database of its own on the other, and removes both.
 */

/** Names the log of the tests: a `kafka:` URL without a prefix. */
export const logVariable = 'HOLDFAST_TEST_LOG'

/** Names the store of the tests: a `mysql:` URL of a user who may make databases and users. */
export const storeVariable = 'HOLDFAST_TEST_STORE'

/** Throws when the services were not started. */
export function serviceUrl(variable: string): string {
  const url = process.env[variable]
  if (url) return url
  throw new Error(`${variable} is not set: run \`npm test\`, which starts the services; docs/services.md tells more`)
}

const randomName = (): string => `test_${randomBytes(6).toString('hex')}`

/** The log of the tests with a prefix of topics. */
export function kafkaUrl(prefix: string): string {
  const [address = '', options] = serviceUrl(logVariable).split('?')
  return `${address.replace(/\/$/, '')}/${prefix}${options === undefined ? '' : `?${options}`}`
}

/** Topics of one test. Disposing of it deletes them. */
export interface TestLog extends AsyncDisposable {
  url: string
  prefix: string
}

/** A log of its own, on the shared Kafka. */
export function testLog(): TestLog {
  const prefix = randomName()
  return { url: kafkaUrl(prefix), prefix, [Symbol.asyncDispose]: () => deleteTopics(`${prefix}.`) }
}

async function deleteTopics(start: string): Promise<void> {
  const { client } = parseKafkaUrl(serviceUrl(logVariable))
  const admin = new Kafka({ ...client, logLevel: logLevel.NOTHING }).admin()
  try {
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(start))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  } finally {
    await admin.disconnect()
  }
}

/** A database of one test. Disposing of it drops it and its user. */
export interface TestStore extends AsyncDisposable {
  database: string
  /** Of a user who may do on this database what Holdfast does, and nothing elsewhere. */
  url: string
  /** Of a user who may do everything, on this database. */
  adminUrl: string
}

/** A database and a user of its own, on the shared server. */
export async function testStore(): Promise<TestStore> {
  const server = serviceUrl(storeVariable)
  const database = randomName()
  const password = newPassword()
  await makeDatabase(server, { database, user: database, password })
  return {
    database,
    url: withPath(server, database, { user: database, password }),
    adminUrl: withPath(server, database),
    [Symbol.asyncDispose]: () => drop(server, database),
  }
}

function withPath(server: string, database: string, login?: { user: string; password: string }): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  if (login !== undefined) {
    url.username = login.user
    url.password = login.password
  }
  return url.href
}

async function drop(server: string, database: string): Promise<void> {
  const connection = await connectMysql(server)
  try {
    await connection.query(`DROP DATABASE IF EXISTS \`${database}\``)
    await connection.query(`DROP USER IF EXISTS '${database}'@'%'`)
  } finally {
    await connection.end()
  }
}
