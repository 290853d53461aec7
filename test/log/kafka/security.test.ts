/**
 * Proves that the log works through TLS and SASL, also with a broker that ends sessions whose login is not renewed, that a
 * wrong password and an unknown certificate are refused, and that no message repeats a password.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../../compose/services/free-port.ts'
import { bringKafka } from '../../../compose/services/kafka-libraries.ts'
import { run } from '../../../compose/services/programs.ts'
import { ownKafka } from '../../support/own-server.ts'
import { entries, numbers, numbersOf, openLog, take, ToldEvents } from './tools.ts'

/** A program of openssl or Kafka may take this long. */
const programMs = 60_000

// With all that has to be percent-encoded.
const password = 'p@ss:w/r?d%'
/** How long a plain login is good for. */
const loginMs = 5_000
const [plainUser, scramUser] = ['plain-user', 'scram-user']
const directory = t.testdir()
const file = (name: string): string => join(directory, name)

const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, programMs)

async function makeCertificates(): Promise<void> {
  for (const authority of ['ca', 'other-ca']) {
    const subject = ['-subj', `/CN=${authority}`, '-days', '2']
    const files = ['-keyout', file(`${authority}.key`), '-out', file(`${authority}.pem`)]
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files)
  }
  const request = ['-keyout', file('broker.key'), '-out', file('broker.csr'), '-subj', '/CN=broker']
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', ...request)
  await writeFile(file('names'), 'subjectAltName=IP:127.0.0.1')
  const signing = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-extfile', file('names'), '-days', '2']
  await openssl('x509', '-req', '-in', file('broker.csr'), ...signing, '-out', file('broker.pem'))
  const [key, certificate] = await Promise.all(['broker.key', 'broker.pem'].map((name) => readFile(file(name), 'utf8')))
  await writeFile(file('keystore.pem'), `${key}${certificate}`)
}

await makeCertificates()
const port = await freePort()
const loginModules = 'org.apache.kafka.common.security'
const broker = await ownKafka({
  extraListeners: [{ name: 'SECURE', port, advertisedPort: port }],
  settings: {
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL',
    'listener.name.secure.ssl.keystore.type': 'PEM',
    'listener.name.secure.ssl.keystore.location': file('keystore.pem'),
    'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.secure.plain.sasl.jaas.config': `${loginModules}.plain.PlainLoginModule required user_${plainUser}="${password}";`,
    'listener.name.secure.plain.connections.max.reauth.ms': String(loginMs),
    'listener.name.secure.scram-sha-512.sasl.jaas.config': `${loginModules}.scram.ScramLoginModule required;`,
  },
})
t.teardown(() => broker[Symbol.asyncDispose]())
await broker.start()
const { java, libraries } = await bringKafka(() => {})
const who = ['--entity-type', 'users', '--entity-name', scramUser]
const where = ['--bootstrap-server', new URL(broker.url).host]
const alter = ['--alter', '--add-config', `SCRAM-SHA-512=[password=${password}]`, ...who]
await run(java, ['-cp', join(libraries, '*'), 'kafka.admin.ConfigCommand', ...where, ...alter], programMs)

function secureUrl(user: string, secret: string, mechanism: string, authority = 'ca'): string {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(secret)}`
  const options = `tls=true&ca=${encodeURIComponent(file(`${authority}.pem`))}&sasl=${mechanism}`
  return `kafka://${login}@127.0.0.1:${port}/${mechanism}?${options}`
}

const ways: [string, string][] = [
  ['plain', plainUser],
  ['scram-sha-512', scramUser],
]

for (const [mechanism, user] of ways) {
  void t.test(`${mechanism}: the right password works for everything`, async (t) => {
    const log = openLog(t, secureUrl(user, password, mechanism))
    await log.createTopics([{ name: 'secret', partitions: 2, compacted: false }])
    const reader = log.read('secret', 1, 0)
    t.equal(await log.append('secret', 1, entries(0, 10)), 0)
    t.same(numbersOf(await take(reader, 10)), numbers(0, 10))
    await log.trim('secret', 1, 5)
    t.same(await log.range('secret', 1), { oldest: 5, next: 10 })
  })

  void t.test(`${mechanism}: a wrong one is refused`, async (t) => {
    const events = new ToldEvents()
    const wrong = `${password}hunter2`
    const log = openLog(t, secureUrl(user, wrong, mechanism), events)
    for (const request of [() => log.range('secret', 1), () => log.append('secret', 1, entries(0, 1))]) {
      const error = (await request().catch((error: unknown) => error)) as Error
      t.match(error, { name: 'LogError', code: 'unavailable', message: /[Aa]uthentication failed|credentials/ })
      t.notMatch(error.message + String(error.stack), /hunter2/, 'the password is not repeated')
    }
    await t.rejects(log.createTopics([]), { code: 'denied', message: /[Aa]uthentication failed|credentials/ })
    t.same(events.outages, ['away kafka'], 'it is told once')
  })
}

void t.test('a login that ends is renewed while requests are under way', async (t) => {
  const events = new ToldEvents()
  const log = openLog(t, secureUrl(plainUser, password, 'plain'), events)
  await log.createTopics([{ name: 'renewed', partitions: 1, compacted: false }])
  const reader = log.read('renewed', 0, 0)
  const read: number[] = []
  let sent = 0
  for (const end = performance.now() + 1.5 * loginMs; performance.now() < end; sent += 10) {
    await log.append('renewed', 0, entries(sent, 10))
    read.push(...numbersOf(await take(reader, 10)))
  }
  t.ok(sent > 20, `${sent} records`)
  t.same(read, numbers(0, sent))
  t.same([events.errors, events.outages], [[], []], 'no connection was ended')
})

void t.test('a broker whose certificate another authority has signed is refused', async (t) => {
  const log = openLog(t, secureUrl(plainUser, password, 'plain', 'other-ca'))
  await t.rejects(log.range('secret', 1), { code: 'unavailable', message: /certificate/ })
  const usual = openLog(t, secureUrl(plainUser, password, 'plain').replace(/&ca=[^&]*/, ''))
  await t.rejects(usual.range('secret', 1), { code: 'unavailable', message: /certificate/ })
  for (const each of [log, usual])
    await t.rejects(
      each.createTopics([]),
      { code: 'denied', message: /certificate/ },
      'nothing but a person mends that',
    )
})

void t.test('without a login nothing is to be had', async (t) => {
  const ca = encodeURIComponent(file('ca.pem'))
  const log = openLog(t, `kafka://127.0.0.1:${port}/plain?tls=true&ca=${ca}`)
  await t.rejects(log.range('secret', 1), { code: 'unavailable' })
})
