/**
 * Proves that what a start waits for is said with why, and no password with it: nothing, a service that says nothing yet, one that is
 * away, two of them, one that answers again.
 */
import t from 'tap'
import { Services } from '../../cluster/services.ts'
import { notingLogger, quietLogger } from '../support/loggers.ts'

void t.test('what a start waits for', async (t) => {
  const { lines, logger } = notingLogger()
  const services = new Services(logger)
  const log = services.outages('log', 'kafka://ann:ge%2Fheim@h1:9092,h2:9092/prefix?ca=/some/where')
  const store = services.outages('store', 'mysql://ann:geheim@127.0.0.1:3306/db?tls=true')
  t.equal(services.waitsFor, null)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const start = services.needed(['log', 'store'], () => promise)
  const [logAt, storeAt] = ['log kafka://h1:9092,h2:9092/prefix', 'store mysql://127.0.0.1:3306/db']
  t.equal(services.waitsFor, `${logAt} (no answer yet) and ${storeAt} (no answer yet)`)
  t.notOk(services.isSaid)
  store.away('database', new Error('ECONNREFUSED'))
  t.equal(services.waitsFor, `${storeAt} (ECONNREFUSED)`, 'what is known to be away counts')
  t.ok(services.isSaid)
  log.away('kafka', new Error('ETIMEDOUT'))
  t.equal(services.waitsFor, `${logAt} (ETIMEDOUT) and ${storeAt} (ECONNREFUSED)`)
  store.back('database')
  log.back('kafka')
  t.equal(services.waitsFor, `${logAt} (no answer yet) and ${storeAt} (no answer yet)`)
  resolve('started')
  t.equal(await start, 'started')
  store.away('database', new Error('ECONNRESET'))
  t.equal(services.waitsFor, null, 'it waits no more')
  t.notOk(JSON.stringify(lines).includes('heim'))
  t.match(lines[0], { level: 50, url: 'mysql://127.0.0.1:3306/db', what: 'database', reason: 'ECONNREFUSED' })
  reject(new Error('too late'))
})

void t.test('a start that fails waits for nothing', async (t) => {
  const services = new Services(quietLogger)
  services.outages('store', 'embedded:/data')
  await t.rejects(
    services.needed(['store'], () => Promise.reject(new Error('damaged'))),
    { message: 'damaged' },
  )
  t.equal(services.waitsFor, null)
})
