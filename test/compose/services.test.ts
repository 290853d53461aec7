/**
 * `services:up` gives Kafka and MySQL that answer and prints where, alike however often and by how many it is called;
 * `services:down` stops what it started and nothing else. What the environment names comes first, then Docker, then
 * local packages; what cannot be had is said in one line.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createConnection } from 'mysql2/promise'
import t from 'tap'
import { parse, type DocumentOptions, type ParseOptions, type SchemaOptions } from 'yaml'
import { askKafka, askMysql } from '../../compose/services/answers.ts'
import { killDaemon } from '../../compose/services/daemon.ts'
import { freePort } from '../../compose/services/free-port.ts'
import { bringKafka } from '../../compose/services/kafka-libraries.ts'
import { startKafka } from '../../compose/services/kafka.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { run, type Outcome } from '../support/command.ts'
import { ownMariadb } from '../support/own-server.ts'
import { isAlive } from '../support/process-table.ts'
import { cleanEnvironment } from '../support/process.ts'
import { kafkaUrl, testStore } from '../support/services.ts'
import { until } from '../support/until.ts'

const main = fileURLToPath(new URL('../../compose/services/main.ts', import.meta.url))

const composeFile = fileURLToPath(new URL('../../compose/compose.yaml', import.meta.url))

interface ComposeFile {
  services: Record<string, object>
}

/** Tags of Docker compose, which say how two files are put together. */
const tags: DocumentOptions & ParseOptions & SchemaOptions = {
  customTags: [
    { tag: '!override', collection: 'seq' },
    { tag: '!reset', resolve: () => null },
  ],
}

interface Known {
  kafka: { port: number; daemon: { pid: number; marker: string } }
  mysql: { port: number; daemon: { pid: number; marker: string } }
}

/** Calls the command for a data directory. */
function services(command: 'up' | 'down', dataDir: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const args = ['--disable-warning=TimeoutNegativeWarning', main, command]
  return run(process.execPath, args, {
    cwd: dataDir,
    env: { ...cleanEnvironment(), HOLDFAST_DATA_DIR: dataDir, ...env },
  })
}

const statePath = (dataDir: string): string => join(dataDir, 'services', 'state.json')

const known = (dataDir: string): Known => JSON.parse(readFileSync(statePath(dataDir), 'utf8')) as Known

/** The two URLs of an output that is exactly two lines a shell can take as they are. */
function urls({ code, stdout, stderr }: Outcome): { log: string; store: string } {
  const [, log, store] = /^HOLDFAST_LOG=([\w:/.]+)\nHOLDFAST_STORE=([\w:/.@]+)\n$/.exec(stdout) ?? []
  if (code !== exitCodes.ok || log === undefined || store === undefined)
    throw new Error(`ended with ${code}: ${stdout}${stderr}`)
  return { log, store }
}

/** A folder with a program `docker` that notes what it is asked, and fails when asked for what `fails` names. */
function fakeDocker(folder: string, fails: string): { PATH: string; asked: () => string } {
  const notes = join(folder, 'asked')
  mkdirSync(folder)
  writeFileSync(notes, '')
  writeFileSync(
    join(folder, 'docker'),
    `#!/bin/sh\necho "$@" >> '${notes}'\ncase "$*" in *'${fails}'*) echo 'no space left' >&2; exit 1;; esac\n`,
  )
  chmodSync(join(folder, 'docker'), 0o755)
  return { PATH: `${folder}:/usr/bin:/bin`, asked: () => readFileSync(notes, 'utf8') }
}

/** Passes connections on from one port of 127.0.0.1 to another until the test ends. */
async function forward(t: Tap, from: number, to: number): Promise<void> {
  const server = createServer((socket) => {
    const onward = connect(to, '127.0.0.1')
    socket.pipe(onward).pipe(socket)
    socket.on('error', () => onward.destroy())
    onward.on('error', () => socket.destroy())
  }).listen(from, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
}

type Tap = Pick<typeof t, 'teardown'>

t.test('from nothing to nothing', async (t) => {
  // Not one of tap's, which is gone before what runs in it is stopped.
  const dataDir = mkdtempSync(join(tmpdir(), 'holdfast-services-'))
  t.teardown(async () => {
    await services('down', dataDir)
    rmSync(dataDir, { recursive: true })
  })
  // Two at once: the one finds what the other started.
  const [first, second] = await Promise.all([services('up', dataDir), services('up', dataDir)])
  const { log, store } = urls(first)
  const { kafka, mysql } = known(dataDir)

  t.test('both answer where the two lines say', async (t) => {
    t.equal(log, `kafka://127.0.0.1:${kafka.port}`)
    t.match(store, new RegExp(`^mysql://holdfast:\\w{32}@127\\.0\\.0\\.1:${mysql.port}/holdfast$`))
    await askKafka(`127.0.0.1:${kafka.port}`)
    await askMysql(store)
  })

  t.test('the printed user has a database and nothing else', async (t) => {
    const connection = await createConnection(store)
    t.teardown(() => connection.end())
    await connection.query('CREATE TABLE kept (n INT PRIMARY KEY)')
    await connection.query('INSERT INTO kept VALUES (7)')
    await t.rejects(connection.query('CREATE DATABASE other'), { code: 'ER_DBACCESS_DENIED_ERROR' })
    await t.rejects(connection.query('SELECT * FROM mysql.user'), { code: 'ER_TABLEACCESS_DENIED_ERROR' })
    await t.rejects(connection.query("CREATE USER 'x'@'%'"), { code: 'ER_SPECIFIC_ACCESS_DENIED_ERROR' })
  })

  t.test('passwords are for their owner alone', (t) => {
    t.equal(statSync(statePath(dataDir)).mode & 0o777, 0o600)
    t.end()
  })

  t.test('two calls at once start one of each', (t) => {
    t.equal(second.stdout, first.stdout)
    t.equal(`${first.stderr}${second.stderr}`.match(/starting Kafka/g)?.length, 1)
    t.end()
  })

  t.test('what died is started again, with the same address; the rest is left alone', async (t) => {
    process.kill(kafka.daemon.pid, 'SIGKILL')
    await until('the end of the broker', () => !isAlive(kafka.daemon.pid))
    const again = await services('up', dataDir)
    t.equal(again.stdout, first.stdout)
    t.match(again.stderr, `mysql runs already, as process ${mysql.daemon.pid}`)
    t.not(known(dataDir).kafka.daemon.pid, kafka.daemon.pid)
  })

  t.test('down stops both, says so, and leaves the data', async (t) => {
    const pids = [known(dataDir).kafka.daemon.pid, mysql.daemon.pid]
    const down = await services('down', dataDir)
    t.equal(down.code, exitCodes.ok)
    t.equal(down.stdout, '')
    t.same(down.stderr.trim().split('\n').sort(), [
      `services: stopped kafka, process ${pids[0]}`,
      `services: stopped mysql, process ${pids[1]}`,
    ])
    t.same(pids.map(isAlive), [false, false])

    const again = await services('down', dataDir)
    t.same([again.code, again.stderr], [exitCodes.ok, 'services: nothing to stop\n'])

    const up = await services('up', dataDir)
    t.equal(up.stdout, first.stdout)
    const connection = await createConnection(urls(up).store)
    t.teardown(() => connection.end())
    t.match(await connection.query('SELECT n FROM kept'), [[{ n: 7 }]])
  })
})

t.test('a process that has taken over the id of a service is left alone', async (t) => {
  const dataDir = t.testdir({ services: {} })
  const other = spawn('sleep', ['60'])
  t.teardown(() => other.kill('SIGKILL'))
  const daemon = { pid: other.pid, marker: join(dataDir, 'services', 'kafka', 'server.properties') }
  writeFileSync(statePath(dataDir), JSON.stringify({ kafka: { port: 1, controllerPort: 2, daemon } }))
  const { code, stderr } = await services('down', dataDir)
  t.same([code, stderr], [exitCodes.ok, 'services: nothing to stop\n'])
  t.equal(isAlive(other.pid!), true)
})

t.test('what the environment names comes first', async (t) => {
  const dataDir = t.testdir()
  await using store = await testStore()
  // Each subtest is awaited: it needs the store.
  const named = { HOLDFAST_LOG: kafkaUrl('staging'), HOLDFAST_STORE: store.url }

  await t.test('it is printed as it is, and nothing is started', async (t) => {
    const { code, stdout } = await services('up', dataDir, named)
    t.equal(code, exitCodes.ok)
    t.equal(stdout, `HOLDFAST_LOG=${named.HOLDFAST_LOG}\nHOLDFAST_STORE=${named.HOLDFAST_STORE}\n`)
    t.equal(existsSync(join(dataDir, 'services')), false)
  })

  await t.test('what does not answer is named in one line, without its password', async (t) => {
    const { code, stdout, stderr } = await services('up', dataDir, {
      ...named,
      HOLDFAST_STORE: store.url.replace(/:\w+@/, ':wrong-password@'),
    })
    t.same([code, stdout], [exitCodes.failure, ''])
    t.match(stderr, /services: HOLDFAST_STORE names a service that does not answer: .*Access denied.*\n$/)
    t.notMatch(stderr, 'wrong-password')
  })

  await t.test('each for itself: what is not named has to come from somewhere', async (t) => {
    const { code, stdout, stderr } = await services('up', dataDir, { HOLDFAST_STORE: store.url, PATH: dataDir })
    t.same([code, stdout], [exitCodes.failure, ''])
    t.match(stderr, /\nservices: there is no java.* on the PATH: install it .*\n$/)
    t.notMatch(stderr, 'mariadb')
  })
})

t.test('a machine without anything gets one line', async (t) => {
  const dataDir = t.testdir()
  const { code, stdout, stderr } = await services('up', dataDir, { PATH: dataDir })
  t.same([code, stdout], [exitCodes.failure, ''])
  t.match(stderr, /^services: there is no java.*; there is no mariadb.*\n$/)
})

t.test('Docker comes before local packages', async (t) => {
  const dataDir = t.testdir()
  await using store = await testStore()
  const docker = fakeDocker(join(dataDir, 'engine'), 'nothing fails')
  const up = services('up', dataDir, { PATH: docker.PATH, HOLDFAST_STORE: store.url })
  await until('compose up', () => docker.asked().includes(' up '), 20_000)
  // The container would do this: it listens on the port that was published.
  await forward(t, known(dataDir).kafka.port, Number(new URL(kafkaUrl('x')).port))
  const changed = parse(readFileSync(join(dataDir, 'services', 'compose.override.yaml'), 'utf8'), tags) as ComposeFile
  const whole = parse(readFileSync(composeFile, 'utf8'), { merge: true }) as ComposeFile
  for (const name of Object.keys(changed.services)) t.ok(whole.services[name], `${name} is in compose.yaml`)
  t.equal(urls(await up).log, `kafka://127.0.0.1:${known(dataDir).kafka.port}`)
  t.match(
    docker.asked(),
    /^info\ncompose version\ncompose -p holdfast-\w{8} -f \S+compose\.yaml .* up .*--wait.* kafka\n$/,
  )

  t.match((await services('up', dataDir, { PATH: docker.PATH, HOLDFAST_STORE: store.url })).stderr, 'runs already')
  t.match((await services('down', dataDir, { PATH: docker.PATH })).stderr, 'stopped kafka, in Docker')
  t.match(docker.asked(), / rm --stop --force kafka\n$/)
})

t.test('compose that fails is one line', async (t) => {
  const dataDir = t.testdir()
  const { PATH } = fakeDocker(join(dataDir, 'engine'), ' up ')
  const { code, stderr } = await services('up', dataDir, { PATH })
  t.equal(code, exitCodes.failure)
  t.match(stderr, /\nservices: \S+docker failed: no space left\n$/)
})

t.test('an engine that does not run is no engine', async (t) => {
  const dataDir = t.testdir()
  const docker = fakeDocker(join(dataDir, 'engine'), 'info')
  const { stderr } = await services('up', dataDir, { PATH: join(dataDir, 'engine') })
  t.match(stderr, /^services: there is no java/)
  t.equal(docker.asked(), 'info\n')
})

t.test('a server of one test comes back after kill -9 with what it had', async (t) => {
  await using server = await ownMariadb()
  await server.start()
  const connection = await createConnection(server.url)
  connection.on('error', () => {})
  await connection.query('CREATE DATABASE own')
  await connection.query('CREATE TABLE own.kept (n INT PRIMARY KEY)')
  await connection.query('INSERT INTO own.kept VALUES (7)')
  await server.kill()
  await t.rejects(connection.query('SELECT 1'))
  await server.start()
  const after = await createConnection(server.url)
  t.match(await after.query('SELECT n FROM own.kept'), [[{ n: 7 }]])
  await after.end()
})

t.test('an id of a cluster may start with a dash', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kafka-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const ports = { port: await freePort(), controllerPort: await freePort() }
  const broker = await startKafka({ ...(await bringKafka(t.comment)), ...ports, directory, clusterId: '-'.repeat(22) })
  t.equal(await killDaemon(broker), true)
  t.equal(await broker.ended, 'by SIGKILL')
})
