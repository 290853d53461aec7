/** A URL of a database is read as documented, or refused in one line that never shows the password. */
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { parseMysqlUrl } from '../../../store/mysql/url.ts'

void t.test('what a URL says', async (t) => {
  const ca = `${t.testdir()}/ca.pem`
  writeFileSync(ca, 'certificate')
  const plain = { host: 'db', port: 3306, user: 'chat', password: '', database: 'holdfast', tls: null }
  t.same(parseMysqlUrl('mysql://chat@db/holdfast'), plain)
  t.same(parseMysqlUrl('mysql://chat@db/holdfast?tls=false'), plain)
  t.same(parseMysqlUrl('mysql://ch%40t:p%2Fw%3A@[::1]:3307/hold%20fast'), {
    host: '::1',
    port: 3307,
    user: 'ch@t',
    password: 'p/w:',
    database: 'hold fast',
    tls: null,
  })
  t.same(parseMysqlUrl('mysql://chat@db/holdfast?tls=true').tls, { ca: null })
  t.same(parseMysqlUrl(`mysql://chat@db/holdfast?tls=true&ca=${ca}`).tls, { ca: 'certificate' })
})

void t.test('what is wrong with a URL', async (t) => {
  const wrong: [rest: string, message: RegExp][] = [
    ['', /cannot be read|no host/],
    [':secret@db/x', /no user/],
    ['chat:secret@db', /no database/],
    ['chat:secret@db/a/b', /no database/],
    ['chat:secret@db/x?compress=true', /no option "compress"/],
    ['chat:secret@db/x?tls=yes', /tls is neither/],
    ['chat:secret@db/x?ca=ca.pem', /ca needs tls=true/],
    ['chat:secret@127.0.0.1/x?tls=true', /name of a host/],
    ['chat:secret@db/x?tls=true&ca=nowhere.pem', /ca cannot be read \(ENOENT\)/],
    ['chat:%secret@db/x', /password is not percent-encoded/],
    ['chat:secret@db:port/x', /cannot be read/],
  ]
  for (const [rest, message] of wrong) {
    t.throws(() => parseMysqlUrl(`mysql://${rest}`), { message })
    t.throws(() => parseMysqlUrl(`mysql://${rest}`), { message: /^((?!secret).)*$/ })
  }
})
