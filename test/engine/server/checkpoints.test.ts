/**
 * Proves that the write-ahead log stays bounded however fast is written, that nothing is lost or held up for good by what
 * works it into the file, and that two connections of one process hold the file against every other as one did.
 */
import { execFile } from 'node:child_process'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { Checkpoints, checkpointPages } from '../../../engine/server/checkpoints.ts'
import { openDatabase } from '../../../engine/server/database.ts'
import { runEngine } from '../../../engine/server/engine.ts'
import { openFile } from '../../../engine/server/file.ts'
import { quietLogger } from '../../support/loggers.ts'
import { EngineChild, openEmbeddedLog, temporaryDirectory } from '../start-engine.ts'

Object.assign(checkpointPages, { pass: 100, restart: 400, tail: 50, bound: 800 })

const pageBytes = 1024

/** What another process gets that opens the file as any program of SQLite does. */
async function asAnother(dataDir: string): Promise<string> {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(process.argv[1])
    console.log(JSON.stringify(database.prepare('SELECT count(*) AS count FROM log_topic').get()))`
  const args = ['--no-warnings', '-e', script, join(dataDir, 'holdfast.db')]
  return promisify(execFile)(process.execPath, args).then(
    ({ stdout }) => stdout,
    ({ stderr }: { stderr: string }) => /Error: (.*)/.exec(stderr)?.[1] ?? stderr,
  )
}

async function engine(t: Test, sync: 'normal' | 'full') {
  const dataDir = await temporaryDirectory(t)
  const options = { dataDir, sync, logger: quietLogger, onFatal: (error: Error) => t.fail(error.message) }
  const running = await runEngine(options)
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([{ name: 't', partitions: 8, compacted: false }])
  return { dataDir, running, log }
}

for (const sync of ['normal', 'full'] as const) {
  void t.test(`a log that is written to without a pause, sync ${sync}`, async (t) => {
    const { dataDir, running, log } = await engine(t, sync)
    const sizeOf = async (name: string): Promise<number> => (await stat(join(dataDir, name))).size
    const perWriter = 300
    const entries = [{ key: null, value: Buffer.alloc(20_000, 'a') }]
    // As fast as it goes, of which nothing is looked at before all of it is asked for.
    const writer = async (partition: number): Promise<void> => {
      for (let n = 0; n < perWriter; n += 1)
        if ((await log.append('t', partition, entries)) !== n) t.fail(`${n} is lost`)
    }
    await Promise.all(Array.from({ length: 8 }, (_, partition) => writer(partition)))
    const written = 8 * perWriter * 20_000
    const most = (checkpointPages.bound + 8 * 8 * 25) * pageBytes
    t.ok(
      (await sizeOf('holdfast.db-wal')) < most,
      `${await sizeOf('holdfast.db-wal')} bytes of ${written} are in the log`,
    )
    t.ok((await sizeOf('holdfast.db')) > written - most, 'the rest is in the file')
    t.equal(await asAnother(dataDir), 'database is locked', 'which nobody else can open')
    await running.stop()
    t.equal((await asAnother(dataDir)).trim(), '{"count":1}', 'before it is closed')
  })
}

void t.test('a connection that is closed lets nothing go', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const file = openFile(dataDir, 'normal')
  const other = openDatabase(file.path, 'normal')
  other.exec('SELECT count(*) FROM log_topic')
  other.close()
  t.equal(await asAnother(dataDir), 'database is locked')
  file.close()
  t.equal((await asAnother(dataDir)).trim(), '{"count":0}')
})

void t.test('an engine that is killed leaves a file that any program reads', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const child = await EngineChild.start(t, dataDir, ['normal', 'busy'])
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics(['a', 'b', 'c'].map((name) => ({ name, partitions: 1, compacted: false })))
  await child.end('SIGKILL')
  t.equal((await asAnother(dataDir)).trim(), '{"count":3}')
})

void t.test('a file that the thread cannot use ends the engine', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const file = openFile(dataDir, 'normal')
  const path = join(dataDir, 'nonsense')
  await writeFile(path, 'no database. '.repeat(1_000))
  const failed = Promise.withResolvers<unknown>()
  const checkpoints = new Checkpoints({ ...file, path, hold: () => {}, failed: failed.resolve })
  t.match(await failed.promise, { message: /not a database/ })
  await checkpoints.end()
  file.close()
})
