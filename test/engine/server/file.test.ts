/** What an engine says of files and directories that it cannot use, and who may reach its socket. */
import { mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { readPlace } from '../../../engine/place.ts'
import { runEngine } from '../../../engine/server/engine.ts'
import type { EngineErrorCode } from '../../../engine/server/errors.ts'
import { quietLogger } from '../../support/loggers.ts'
import { EngineChild, openEmbeddedLog, openEmbeddedStore, temporaryDirectory } from '../start-engine.ts'

const start = (dataDir: string, onFatal = (_error: Error): void => {}): ReturnType<typeof runEngine> =>
  runEngine({ dataDir, sync: 'normal', logger: quietLogger, onFatal })

async function refuses(
  t: Test,
  dataDir: string,
  code: EngineErrorCode,
  path = join(dataDir, 'holdfast.db'),
): Promise<void> {
  const error = await start(dataDir).then(
    () => new Error('the engine started'),
    (error: unknown) => error as Error,
  )
  t.match(error, { name: 'EngineStartError', code })
  t.ok(error.message.includes(path), error.message)
  t.notOk(error.message.includes('\n'), 'one line')
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

void t.test('only the owner reaches the data and the socket', async (t) => {
  const dataDir = join(await temporaryDirectory(t), 'deep', 'data')
  const engine = await start(dataDir)
  const place = await readPlace(dataDir)
  t.equal(place?.pid, process.pid)
  const socket = place?.socket ?? ''
  t.equal(await modeOf(dataDir), 0o700)
  t.equal(await modeOf(dirname(socket)), 0o700)
  t.equal(await modeOf(join(dataDir, 'engine.json')), 0o600)
  t.equal(await modeOf(join(dataDir, 'holdfast.db')), 0o600)
  t.equal(await modeOf(join(dataDir, 'holdfast.db-wal')), 0o600)
  await engine.stop()
  t.equal(await readPlace(dataDir), null)
  await t.rejects(stat(dirname(socket)), { code: 'ENOENT' })
  t.same(await readdir(dataDir), ['holdfast.db'], 'a clean stop leaves the file alone')
})

void t.test('an engine that was killed leaves a socket, and the next one takes it away', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const killed = await EngineChild.start(t, dataDir)
  const before = await readPlace(dataDir)
  await killed.end('SIGKILL')
  const engine = await start(dataDir)
  t.not((await readPlace(dataDir))?.socket, before?.socket)
  await t.rejects(stat(dirname(before?.socket ?? '')), { code: 'ENOENT' })
  await engine.stop()
})

void t.test('a file that is in use by another process, or by this one', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const other = await EngineChild.start(t, dataDir)
  await refuses(t, dataDir, 'in_use')
  t.ok(await readPlace(dataDir), 'and the other one is still to be found')
  t.same(await openEmbeddedStore(t, dataDir).leases(), [])
  await other.end('SIGTERM')
  const engine = await start(dataDir)
  await refuses(t, dataDir, 'in_use')
  await engine.stop()
})

void t.test('a file that is not a database, one of another program, one of a newer release', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const path = join(dataDir, 'holdfast.db')
  await writeFile(path, 'this is not a database, whatever it is called. '.repeat(100))
  await refuses(t, dataDir, 'damaged')
  await rm(path)
  const foreign = new DatabaseSync(path)
  foreign.exec('CREATE TABLE recipe (name TEXT)')
  foreign.close()
  await refuses(t, dataDir, 'damaged')
  await rm(path)
  await (await start(dataDir)).stop()
  const newer = new DatabaseSync(path)
  newer.exec('PRAGMA user_version = 99')
  newer.close()
  await refuses(t, dataDir, 'damaged')
})

void t.test('corrupt pages', async (t) => {
  const dataDir = await temporaryDirectory(t)
  await filled(t, dataDir)
  await overwritePages(dataDir)
  await refuses(t, dataDir, 'damaged')
})

void t.test('pages that turn corrupt while it runs end the engine, and nobody gets an answer', async (t) => {
  const dataDir = await temporaryDirectory(t)
  await filled(t, dataDir)
  const fatal = Promise.withResolvers<Error>()
  const engine = await start(dataDir, fatal.resolve)
  await overwritePages(dataDir)
  const log = openEmbeddedLog(t, dataDir)
  const reader = log.read('t', 0, 0)
  const reading = (async () => {
    for (;;) await reader.next()
  })()
  reading.catch(() => {})
  t.match(await fatal.promise, { code: 'damaged' })
  await t.rejects(log.append('t', 0, [{ key: null, value: Buffer.from('late') }]), { code: 'unavailable' })
  reader.close()
  await engine.stop()
})

void t.test('places that cannot be written', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = join(directory, 'file')
  await writeFile(file, '')
  await refuses(t, join(file, 'data'), 'unwritable', file)
  await mkdir(join(directory, 'data', 'holdfast.db'), { recursive: true })
  await refuses(t, join(directory, 'data'), 'unwritable')
})

/** Leaves a file of some megabytes, with the write-ahead log worked in. */
async function filled(t: Test, dataDir: string): Promise<void> {
  const engine = await start(dataDir)
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([{ name: 't', partitions: 1, compacted: false }])
  for (let n = 0; n < 10; n += 1)
    await log.append('t', 0, [
      { key: null, value: Buffer.alloc(300_000, n) },
      { key: null, value: Buffer.alloc(10) },
    ])
  await log.close()
  await engine.stop()
}

/** Writes nonsense over the middle of the file, where records and their tree are. */
async function overwritePages(dataDir: string): Promise<void> {
  const path = join(dataDir, 'holdfast.db')
  const size = (await readFile(path)).byteLength
  const file = await open(path, 'r+')
  const from = 200 * 4096
  await file.write(Buffer.alloc(size - from, 0xa5), 0, size - from, from)
  await file.close()
}
