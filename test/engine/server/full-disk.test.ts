/**
 * Proves what an engine does when its disk is full: it says so once, with the bytes that are free, is not ready, tells
 * whoever asks why nothing is stored, goes on reading, and says once that there is room again. SQLite's limit of pages
 * stands for the disk: it gives the same error at the same places.
 */
import t, { type Test } from 'tap'
import { Disk, roomAfterMs } from '../../../engine/server/disk.ts'
import { serveFile } from '../../../engine/server/engine.ts'
import { openFile } from '../../../engine/server/file.ts'
import { notingLogger } from '../../support/loggers.ts'
import { until } from '../../support/until.ts'
import { openEmbeddedLog, openEmbeddedStore, temporaryDirectory } from '../start-engine.ts'

const kilobytes = (count: number): { key: null; value: Buffer }[] => [{ key: null, value: Buffer.alloc(count * 1024) }]

/** An engine whose disk the test fills and empties. */
async function engine(t: Test) {
  const dataDir = await temporaryDirectory(t)
  const file = openFile(dataDir, 'normal')
  const { sql } = file
  const pages = (): number => Number(sql.get('PRAGMA page_count')?.['page_count'])
  const limit = (to: number): void => sql.database.exec(`PRAGMA max_page_count = ${to}`)
  const { lines, logger } = notingLogger()
  const changes: boolean[] = []
  const served = await serveFile(file, {
    dataDir,
    logger,
    onFatal: (error) => t.fail(error.message),
    onDisk: (isFull) => changes.push(isFull),
  })
  t.teardown(() => served.stop())
  const said = () => lines.filter(({ msg }) => msg.includes('disk'))
  return { dataDir, served, said, changes, fill: () => limit(pages() + 8), empty: () => limit(1_000_000) }
}

void t.test('a full disk is said once, and when it is over', async (t) => {
  const { dataDir, served, said, changes, fill, empty } = await engine(t)
  const log = openEmbeddedLog(t, dataDir)
  const store = openEmbeddedStore(t, dataDir)
  await log.createTopics([{ name: 't', partitions: 1, compacted: false }])
  await log.append('t', 0, kilobytes(1))
  t.equal(served.ready, true)
  fill()
  for (let tries = 0; tries < 5; tries += 1)
    await t.rejects(log.append('t', 0, kilobytes(64)), { code: 'unavailable', hindrance: 'full' })
  t.match(served.ready, /^the disk under .* is full, \d+ bytes are free$/)
  t.match(said(), [{ level: 50, file: /holdfast\.db$/, freeBytes: Number, msg: /^the disk is full/ }])
  t.same((await log.range('t', 0)).next, 1, 'reads go on')
  t.same(await store.leases(), [])
  empty()
  await until('it is ready again', async () => {
    await log.append('t', 0, kilobytes(64))
    return served.ready === true
  })
  t.match(said(), [{ level: 50 }, { level: 30, freeBytes: Number, fullMs: Number, msg: 'the disk has room again' }])
  t.equal(said().length, 2)
  t.same(changes, [true, false])
})

void t.test('a store that finds no room says so too', async (t) => {
  const { dataDir, fill } = await engine(t)
  const store = openEmbeddedStore(t, dataDir)
  fill()
  await t.rejects(store.createGroup('g', 5_000, 'origin'), {
    name: 'StoreError',
    code: 'unavailable',
    hindrance: 'full',
  })
  t.same(await store.leases(), [], 'and nothing of it was stored')
})

void t.test('small writes that still find room do not end the outage of large ones', (t) => {
  let now = 0
  const told: unknown[] = []
  const disk = new Disk('/', { full: () => void told.push('full'), room: (ms) => void told.push(ms) }, () => now)
  disk.accepted()
  for (now = 10; now < 5_000; now += roomAfterMs / 2) {
    disk.refused()
    disk.accepted()
  }
  t.same(told, ['full'])
  t.ok(disk.isFull)
  now += roomAfterMs
  disk.accepted()
  disk.accepted()
  t.equal(told.length, 2)
  t.notOk(disk.isFull)
  t.ok(disk.freeBytes > 0)
  t.end()
})
