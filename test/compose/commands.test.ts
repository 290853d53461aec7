import { once } from 'node:events'
/**
 * Proves every command line of compose.yaml by running it here, in the order in which compose would: from a folder with
 * the image's files, with the service's own environment and mounts, against a real Kafka and a real database. Names and
 * ports that only exist between containers are translated, and nothing else.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import t from 'tap'
import { WebSocket } from 'ws'
import { freePort } from '../../compose/services/free-port.ts'
import { bringKafka } from '../../compose/services/kafka-libraries.ts'
import { bringPrograms } from '../../compose/services/programs.ts'
import { parseDuration } from '../../config/duration.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { migrationGrants, runtimeGrants } from '../../store/mysql/grants.ts'
import { headerFor } from '../proxy/listener/proxy-headers.ts'
import { ended, run } from '../support/command.ts'
import type { Outcome } from '../support/command.ts'
import { ownMariadb } from '../support/own-server.ts'
import { cleanEnvironment } from '../support/process.ts'
import { testLog } from '../support/services.ts'
import { until } from '../support/until.ts'
import { composeDirectory, readComposeFile } from './compose-file.ts'
import { Image } from './image.ts'
import type { Started } from './image.ts'

const deadlineMs = 30_000
const say = (line: string): void => t.comment(line)

const file = readComposeFile()
await bringPrograms(['mysql', 'mysqladmin'], ['mariadb-client'], say)
const directory = mkdtempSync(join(tmpdir(), 'holdfast-compose-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const image = await Image.build()
t.teardown(() => image[Symbol.dispose]())
cpSync(join(composeDirectory, 'holdfast.yaml'), join(image.workingDirectory, 'holdfast.yaml'))
const log = testLog()
t.teardown(() => log[Symbol.asyncDispose]())
const database = await ownMariadb()
t.teardown(() => database[Symbol.asyncDispose]())
await database.start()
const databaseUrl = new URL(database.url)

/** What the client programs of MySQL need to know when the server is not on its usual port or socket. */
const client = { MYSQL_HOST: '127.0.0.1', MYSQL_TCP_PORT: databaseUrl.port }

/** Where a path inside of a service lies here: what is mounted there, or a folder of this test for a volume. */
function here(service: string, text: string): string {
  for (const volume of file.services[service]!.volumes ?? []) {
    const [source = '', target = ''] = volume.split(':')
    const place = source.startsWith('.') ? join(composeDirectory, source) : join(directory, source)
    if (text === target || text.startsWith(`${target}/`)) return place + text.slice(target.length)
  }
  return text.replace('kafka://kafka:9092', log.url)
}

/** The environment of a service. */
function environmentOf(service: string, more: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(file.services[service]!.environment ?? {})
  return { ...Object.fromEntries(own.map(([name, value]) => [name, here(service, String(value))])), ...more }
}

/** Runs a command of a service of somebody else's image to its end. */
function runIn(service: string, list: string[], more: Record<string, string>): Promise<Outcome> {
  const [command = '', ...args] = list.map((word) => here(service, word))
  return run(command, args, { env: { ...cleanEnvironment(), ...environmentOf(service), ...more } })
}

/** Where a volume is mounted, as its readers see it. */
const secretsOfMysql = join(directory, 'mysql-secrets')
const readSecret = (path: string): string => readFileSync(join(directory, path), 'utf8').trim()

void t.test('secrets', async (t) => {
  // One folder each, as the volumes lie below /run/secrets.
  const volumes = file.services['secrets']!.volumes!.map((volume) => volume.split(':') as [string, string])
  const root = mkdtempSync(join(directory, 'made-'))
  const store = `127.0.0.1:${databaseUrl.port}/holdfast`
  const [command = '', ...args] = file.services['secrets']!.entrypoint!
  t.equal(args.at(-1), '/run/secrets')
  const make = () =>
    run(command, [here('secrets', args[0]!), root], { env: { ...cleanEnvironment(), STORE_ADDRESS: store } })
  t.match(await make(), { code: 0, stderr: '' })
  const first = readFileSync(join(root, 'client/hmac-secret'), 'utf8')
  t.match(await make(), { code: 0, stderr: '' }, 'again')
  t.equal(readFileSync(join(root, 'client/hmac-secret'), 'utf8'), first, 'what is there is kept')
  for (const [volume, target] of volumes.filter(([source]) => !source.startsWith('.')))
    cpSync(join(root, target.slice('/run/secrets/'.length)), join(directory, volume), { recursive: true })
  t.match(readSecret('client-secrets/hmac-secret'), /^[0-9a-f]{64}$/)
})

void t.test('mysql: its first start and its health check', async (t) => {
  const admin = await createConnection(database.url)
  t.teardown(() => admin.end())
  // The image makes root with the password of the file.
  await admin.query(`CREATE OR REPLACE USER root@'%' IDENTIFIED BY '${readSecret('mysql-secrets/root-password')}'`)
  await admin.query(`GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION`)
  for (const name of ['localhost', '127.0.0.1']) await admin.query(`DROP USER IF EXISTS root@'${name}'`)

  const script = '/docker-entrypoint-initdb.d/make-users.sh'
  const made = await runIn('mysql', ['bash', script], { ...client, SECRETS: secretsOfMysql })
  t.match(made, { code: 0, stderr: '' })
  const account = { user: 'holdfast_migrate', host: '%' }
  for (const grant of migrationGrants('holdfast', account))
    t.ok(readFileSync(here('mysql', script), 'utf8').replaceAll('\\`', '`').includes(`${grant};`), grant)

  const [, ...check] = file.services['mysql']!.healthcheck!.test!
  t.match(await runIn('mysql', check, client), { code: 0 })
  t.match(await runIn('mysql', check, { ...client, MYSQL_TCP_PORT: String(await freePort()) }), { code: 1 })
})

void t.test('kafka: its health check', async (t) => {
  // What the scripts of the image start.
  const classes: Record<string, string> = {
    'kafka-broker-api-versions.sh': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  }
  const { java, libraries } = await bringKafka(say)
  const [, script = '', ...args] = file.services['kafka']!.healthcheck!.test!
  const name = classes[script.replace('/opt/kafka/bin/', '')]
  t.ok(name, script)
  const [broker = ''] = new URL(log.url).host.split(',')
  const check = (address: string) =>
    run(java, ['-cp', join(libraries, '*'), name!, ...args.map((arg) => arg.replace('localhost:9092', address))])
  t.match(await check(broker), { code: 0 })
})

void t.test('migrate, twice', async (t) => {
  for (let i = 0; i < 2; i++) {
    const command = image.command(file.services['migrate']!.command)
    t.match(await image.run(command, environmentOf('migrate')), { code: 0, stderr: '' })
  }
})

void t.test('grants', async (t) => {
  const outcome = await runIn('grants', file.services['grants']!.entrypoint!, { ...client, SECRETS: secretsOfMysql })
  t.match(outcome, { code: 0, stderr: '' })
  const statements = readFileSync(here('grants', '/grants.sql'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('--'))
  const expected = runtimeGrants('holdfast', { user: 'holdfast', host: '%' })
  t.strictSame(
    statements,
    expected.map((statement) => `${statement};`),
  )
})

/** A long-lived service of ours, with ports of its own. */
class Running {
  readonly service: string
  readonly environment: Record<string, string>
  readonly process: Started
  output = ''

  private constructor(service: string, environment: Record<string, string>) {
    this.service = service
    this.environment = environment
    this.process = image.start(file.services[service]!.command!, environment)
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on('data', (data: Buffer) => (this.output += data.toString()))
  }

  static async start(service: string, controllerPort: number): Promise<Running> {
    const running = new Running(
      service,
      environmentOf(service, {
        HOLDFAST_HTTP_SERVER_PORT: String(await freePort()),
        HOLDFAST_HTTP_SERVER_INTERNAL_PORT: String(await freePort()),
        HOLDFAST_HTTP_SERVER_PROXY_PROTOCOL_TRUSTED: '127.0.0.1',
        HOLDFAST_CONTROLLER_PORT: String(controllerPort),
      }),
    )
    return running
  }

  /** What `docker compose exec SERVICE node cli/holdfast.js …` runs. */
  exec(...args: string[]): Promise<Outcome> {
    return image.run(image.command(args), this.environment)
  }

  /** Waits for its health check. */
  async healthy(): Promise<void> {
    const [, ...check] = file.services[this.service]!.healthcheck!.test!
    const isHealthy = async () =>
      this.process.exitCode === null && (await image.run(image.here(check), this.environment)).code === 0
    await until(`${this.service} to be healthy`, isHealthy, deadlineMs).catch((error: unknown) => {
      throw new Error(this.output, { cause: error })
    })
  }
}

void t.test('the cluster', async (t) => {
  const controllerPort = await freePort()
  const long = Object.entries(file.services).filter(
    ([, { image, restart }]) => image.startsWith('holdfast:') && restart !== 'no',
  )
  const names = long.flatMap(([name, { deploy }]) => Array.from({ length: deploy?.replicas ?? 1 }, () => name))
  t.strictSame(names, ['controller', 'worker-v1', 'worker-v1', 'worker-v2', 'proxy-1', 'proxy-2'])
  const all: Running[] = []
  for (const name of names) {
    // Who it waits for and has started is healthy first.
    const waitsFor = file.services[name]!.depends_on ?? {}
    for (const other of all) if (other.service in waitsFor) await other.healthy()
    all.push(await Running.start(name, controllerPort))
  }
  for (const each of all) await each.healthy()
  const controller = all.find(({ service }) => service === 'controller')!
  const proxy = all.find(({ service }) => service === 'proxy-1')!

  type Worker = { version: string; state: string; slots: number }
  const workers = async (): Promise<Worker[]> => {
    const { code, stdout, stderr } = await controller.exec('workers', '--json')
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout) as Worker[]
  }
  const owned = (list: Worker[], version: string): number =>
    list.filter((worker) => worker.version === version).reduce((sum, { slots }) => sum + slots, 0)
  const isAtWork = async (): Promise<boolean> => {
    const list = await workers()
    return list.length === 3 && owned(list, 'v1') === 64
  }
  await until('three workers, and the first version at work', isAtWork, deadlineMs).catch((error: unknown) => {
    throw new Error(all.map(({ service, output }) => `${service}:\n${output}`).join('\n'), { cause: error })
  })
  t.equal(owned(await workers(), 'v2'), 0, 'the next version waits')

  const { code, stdout: token } = await proxy.exec('token', 'alice')
  t.equal(code, 0)
  const ws = new WebSocket(`ws://127.0.0.1:${proxy.environment['HOLDFAST_HTTP_SERVER_PORT']}/connection/websocket`, {
    createConnection: () => {
      const socket = connect(Number(proxy.environment['HOLDFAST_HTTP_SERVER_PORT']), '127.0.0.1')
      socket.write(headerFor('192.0.2.1'))
      return socket
    },
  })
  await once(ws, 'open')
  const replies: string[] = []
  ws.on('message', (data: Buffer) => replies.push(...data.toString().split('\n')))
  const commands = [
    { id: 1, connect: { token: token.trim() } },
    { id: 2, subscribe: { channel: 'room' } },
    { id: 3, publish: { channel: 'room', data: 'hello' } },
  ]
  ws.send(commands.map((command) => JSON.stringify(command)).join('\n'))
  await until(`a publication among ${replies.join()}`, () => replies.some((line) => line.includes('"pub"')), deadlineMs)
  t.notOk(replies.some((line) => line.includes('"error"')))
  ws.terminate()

  for (const each of all.toReversed()) {
    const start = performance.now()
    each.process.kill('SIGTERM')
    t.strictSame(await ended(each.process), { code: exitCodes.ok, signal: null }, `${each.service} stops in order`)
    const grace = parseDuration(file.services[each.service]!.stop_grace_period!)!
    t.ok(performance.now() - start < grace, 'before it would be killed')
  }
})
