/** Proves what a `kafka:` URL may say, and that one which is not right gets one line that repeats no password. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'

const plain = { prefix: '', replication: undefined, minInsync: undefined }

void t.test('what is right', async (t) => {
  const urls: [string, object][] = [
    ['kafka://one', { ...plain, brokers: ['one:9092'], client: { brokers: ['one:9092'], ssl: false } }],
    ['kafka://one:1,127.0.0.1:65535', { brokers: ['one:1', '127.0.0.1:65535'] }],
    ['kafka://[::1]:9093,[fd00::7]', { brokers: ['[--1]:9093', '[fd00--7]:9092'] }],
    ['kafka://one/', { prefix: '' }],
    ['kafka://one/staging', { prefix: 'staging' }],
    ['kafka://one/a.b-c_D9?tls=true', { prefix: 'a.b-c_D9', client: { ssl: true } }],
    ['kafka://one?tls=false', { client: { ssl: false } }],
    ['kafka://one?replication=3&min_insync=2', { replication: 3, minInsync: 2 }],
    [
      'kafka://me:secret@one?sasl=plain',
      { client: { sasl: { mechanism: 'plain', username: 'me', password: 'secret' } } },
    ],
    [
      'kafka://m%40e:p%3Aa%2Fs%3Fs%25:@one,two/p?sasl=scram-sha-512&tls=true',
      { client: { ssl: true, sasl: { mechanism: 'scram-sha-512', username: 'm@e', password: 'p:a/s?s%:' } } },
    ],
    ['kafka://me:%C3%BC@one?sasl=scram-sha-256', { client: { sasl: { password: 'ü' } } }],
  ]
  for (const [url, said] of urls) t.match(parseKafkaUrl(url), said, url)
  t.notOk('sasl' in parseKafkaUrl('kafka://one').client)
})

void t.test('the certificates to trust are read from a file', async (t) => {
  const file = join(t.testdir(), 'ca.pem')
  await writeFile(file, 'certificate')
  t.same(parseKafkaUrl(`kafka://one?tls=true&ca=${file}`).client.ssl, { ca: [Buffer.from('certificate')] })
})

void t.test('what is wrong', async (t) => {
  const urls: [string, RegExp][] = [
    ['kafka:one', /not kafka:\/\/host:port/],
    ['mysql://one', /not kafka:\/\/host:port/],
    ['kafka://', /names no broker/],
    ['kafka://one,,two', /names no broker/],
    ['kafka://one:', /host:port/],
    ['kafka://one:0', /host:port/],
    ['kafka://one:65536', /host:port/],
    ['kafka://::1', /host:port/],
    ['kafka://[::1', /host:port/],
    ['kafka://[::g]', /host:port/],
    ['kafka://[127.0.0.1]:9092', /host:port/],
    ['kafka://one two', /host:port/],
    ['kafka://one/a b', /prefix/],
    ['kafka://one/.a', /prefix/],
    ['kafka://one/a/b', /prefix/],
    [`kafka://one/${'a'.repeat(101)}`, /prefix/],
    ['kafka://one?colour=red', /unknown option "colour"; there are tls, ca, sasl, replication, min_insync/],
    ['kafka://one?tls=yes', /tls is true or false/],
    ['kafka://one?tls', /tls has no value/],
    ['kafka://one?tls=true&tls=false', /tls is there twice/],
    ['kafka://one?ca=file', /ca needs tls=true/],
    ['kafka://one?tls=true&ca=nowhere.pem', /^option ca: nowhere.pem cannot be read$/],
    ['kafka://one?replication=0', /replication is a number/],
    ['kafka://one?replication=three', /replication is a number/],
    ['kafka://one?replication=2&min_insync=3', /min_insync \(3\) is more than replication \(2\)/],
    ['kafka://one?sasl=plain', /a user needs option sasl, and the other way round/],
    ['kafka://me:hunter2@one', /a user needs option sasl/],
    ['kafka://me:hunter2@one?sasl=gssapi', /one of plain, scram-sha-256, scram-sha-512/],
    ['kafka://me@one?sasl=plain', /neither of them empty/],
    ['kafka://me:@one?sasl=plain', /neither of them empty/],
    ['kafka://:hunter2@one?sasl=plain', /neither of them empty/],
    ['kafka://me:hunter2%@one?sasl=plain', /percent-encoded/],
    ['kafka://me:hunter2@x@one?sasl=plain', /percent-encoded/],
    ['kafka://me:hunter2/x@one?sasl=plain', /percent-encoded/],
    ['kafka://me:hunter2?x@one?sasl=plain', /percent-encoded/],
    ['kafka://me:1?hunter2@one', /percent-encoded/],
    ['kafka://me:1/hunter2@one', /percent-encoded/],
    ['kafka://me:hunter2@one:x?sasl=plain', /host:port/],
    ['kafka://me:hunter2@one?sasl=plain&password=1', /unknown option "password"/],
  ]
  for (const [url, says] of urls) {
    let message = ''
    try {
      parseKafkaUrl(url)
    } catch (error) {
      message = (error as Error).message
    }
    t.match(message, says, url)
    t.notMatch(message, /hunter2|\n/, `${url}: one line without the password`)
  }
})
