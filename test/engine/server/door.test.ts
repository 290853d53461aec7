/**
 * Proves that clients find the engine whatever a cleaner of temporary directories takes away, that they say it when they
 * do not, and that a start removes what killed engines left, and nothing else.
 */
import { once } from 'node:events'
import { chmod, mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { EngineConnection } from '../../../engine/connection.ts'
import { readPlace } from '../../../engine/place.ts'
import { runEngine } from '../../../engine/server/engine.ts'
import { quietLogger } from '../../support/loggers.ts'
import { until } from '../../support/until.ts'
import { EngineChild, temporaryDirectory } from '../start-engine.ts'

/** Engines of this file and their processes keep their sockets here. */
const temporary = await temporaryDirectory(t)
process.env['TMPDIR'] = temporary

const deadlineMs = 10_000

async function start(t: Test, dataDir: string, log: (line: Record<string, unknown>) => void = () => {}): Promise<void> {
  const logger = pino({ level: 'info' }, { write: (line) => log(JSON.parse(line) as Record<string, unknown>) })
  const engine = await runEngine({ dataDir, sync: 'normal', logger, onFatal: (error) => t.fail(error.message) })
  t.teardown(() => engine.stop())
}

/** A client of its own. `said` is what it was told of outages. */
function client(t: Test, dataDir: string): { connection: EngineConnection; said: string[] } {
  const said: string[] = []
  const connection = new EngineConnection(dataDir, {
    away: (what, error) => said.push(`${what} is away: ${error.message}`),
    back: (what) => said.push(`${what} is back`),
  })
  t.teardown(() => connection.close())
  return { connection, said }
}

const leases = (connection: EngineConnection): Promise<unknown> => connection.request('store', 'leases', [])

void t.test('a socket that is taken away is made anew, and whoever is connected stays so', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const warned: unknown[] = []
  await start(t, dataDir, ({ level, msg }) => void (level === 40 && warned.push(msg)))
  const early = client(t, dataDir)
  await leases(early.connection)
  const before = (await readPlace(dataDir))!.socket
  await rm(dirname(before), { recursive: true })
  const after = await until(
    'another place is noted',
    async () => {
      const place = await readPlace(dataDir)
      return place!.socket !== before && place
    },
    deadlineMs,
  )
  t.same(await leases(client(t, dataDir).connection), [])
  t.equal((await stat(after.socket)).mode & 0o777, 0o600)
  t.same(await leases(early.connection), [])
  t.same(early.said, [], 'its connection never broke')
  t.same(warned, ['socket was removed, made anew'])
})

void t.test('a socket that is another one, and a note that is gone', async (t) => {
  const dataDir = await temporaryDirectory(t)
  await start(t, dataDir)
  const { socket } = (await readPlace(dataDir))!
  await rm(join(dataDir, 'engine.json'))
  await until('the note is back', async () => (await readPlace(dataDir))?.socket === socket, deadlineMs)
  await rename(socket, `${socket}.old`)
  await writeFile(socket, '')
  await until('another socket', async () => (await readPlace(dataDir))?.socket !== socket, deadlineMs)
  t.same(await leases(client(t, dataDir).connection), [])
})

void t.test('who cannot reach an engine says so once an outage, with the path', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const { connection, said } = client(t, dataDir)
  await t.rejects(leases(connection), { code: 'unavailable' })
  t.same(said, [`engine of ${dataDir} is away: there is no ${dataDir}/engine.json, which a running engine keeps`])
  const child = await EngineChild.start(t, dataDir)
  t.same(await leases(connection), [])
  t.equal(said[1], `engine of ${dataDir} is back`)
  const { socket } = (await readPlace(dataDir))!
  await child.end('SIGKILL')
  const late = client(t, dataDir)
  await t.rejects(leases(late.connection), { code: 'unavailable' })
  t.same(late.said, [`engine of ${dataDir} is away: connect ECONNREFUSED ${socket}`])
})

void t.test('a start removes what killed engines left', async (t) => {
  const dirs = await Promise.all([1, 2, 3].map(() => temporaryDirectory(t)))
  const places = await Promise.all(
    dirs.map(async (dataDir) => {
      const child = await EngineChild.start(t, dataDir)
      const place = (await readPlace(dataDir))!
      await child.end('SIGKILL')
      return dirname(place.socket)
    }),
  )
  const living = await temporaryDirectory(t)
  await EngineChild.start(t, living)
  await start(t, await temporaryDirectory(t))
  const left = (await readdir(temporary)).map((name) => join(temporary, name))
  t.notOk(places.some((place) => left.includes(place)))
  t.same(await leases(client(t, living).connection), [], 'one that lives is still to be reached')
})

void t.test('it leaves alone what may be another one’s, or lives', async (t) => {
  const at = (name: string): string => join(temporary, `holdfast-engine-${name}`)
  const long = new Date(Date.now() - 3_600_000)
  const made = async (name: string, mode = 0o700): Promise<string> => {
    await mkdir(at(name))
    await chmod(at(name), mode)
    return at(name)
  }
  /** A socket where nobody listens. */
  const deadSocket = async (directory: string): Promise<void> => {
    const server = createServer().listen(join(directory, 'draft'))
    await once(server, 'listening')
    await rename(join(directory, 'draft'), join(directory, 'socket'))
    server.close()
    await once(server, 'close')
  }
  const elsewhere = await temporaryDirectory(t)
  await deadSocket(elsewhere)
  await symlink(elsewhere, at('a-link'))
  await deadSocket(await made('open-to-others', 0o755))
  const dead = await made('with-more')
  await deadSocket(dead)
  await writeFile(join(dead, 'precious'), '')
  await made('starting')
  await utimes(await made('never-started'), long, long)
  await start(t, await temporaryDirectory(t))
  const left = (await readdir(temporary)).map((name) => join(temporary, name))
  for (const name of ['a-link', 'open-to-others', 'with-more', 'starting']) t.ok(left.includes(at(name)), name)
  t.notOk(left.includes(at('never-started')))
  t.same((await readdir(elsewhere)).length, 1)
  t.ok((await readdir(dead)).includes('precious'))
})

void t.test('a temporary directory that is no place for a socket is named, not the data directory', async (t) => {
  t.teardown(() => (process.env['TMPDIR'] = temporary))
  const dataDir = await temporaryDirectory(t)
  const long = join(temporary, 'a'.repeat(90))
  const missing = join(temporary, 'missing')
  await mkdir(long)
  for (const place of [long, missing]) {
    process.env['TMPDIR'] = place
    const refused = runEngine({ dataDir, sync: 'normal', logger: quietLogger, onFatal: () => {} })
    await t.rejects(refused, { name: 'EngineStartError', code: 'misplaced' })
    const message = await refused.then(String, (error: Error) => error.message)
    t.ok(message.includes(place) && !message.includes(dataDir), message)
  }
})
