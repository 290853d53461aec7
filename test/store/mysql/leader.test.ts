/**
 * Proves that a candidate who waits for another one's statement does not take its leadership away: in MySQL a statement's
 * time is when it began, so what was written meanwhile looks as if it came from a clock that is ahead.
 */
import t from 'tap'
import { until } from '../../support/until.ts'
import { mysqlFixture } from './fixture.ts'

const ttlMs = 60_000
const now = `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)`

t.test('two candidates at the same moment', async (t) => {
  const { open, admin, rows } = await mysqlFixture(t)
  const store = open()
  await store.lead('nobody', 0)
  await admin.query('START TRANSACTION')
  await admin.query('SELECT id FROM leader WHERE id = 1 FOR UPDATE')
  const late = store.lead('late', ttlMs)
  const waiting = `SELECT id FROM information_schema.processlist
    WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command = 'Query' AND info LIKE '%leader%'`
  await until('the one that waits', async () => (await rows(waiting)).length > 0)
  // The database's clock goes on before the other one writes.
  await admin.query('DO SLEEP(0.01)')
  await admin.query(
    `UPDATE leader SET candidate = 'first', term = term + 1, expires_at = ${now} + ${ttlMs} WHERE id = 1`,
  )
  await admin.query('COMMIT')
  t.equal((await late).leader, 'first')
})
