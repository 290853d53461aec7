/** Kafka and MariaDB that a test has for itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killDaemon, stopDaemon, type Daemon } from '../../compose/services/daemon.ts'
import { freePort } from '../../compose/services/free-port.ts'
import { bringKafka } from '../../compose/services/kafka-libraries.ts'
import { newClusterId, startKafka, untilKafkaAnswers, type KafkaOptions } from '../../compose/services/kafka.ts'
import { bringMariadb } from '../../compose/services/mariadb-programs.ts'
import { adminUser, startMariadb, untilMariadbAnswers, type MariadbOptions } from '../../compose/services/mariadb.ts'
import { mysqlUrl, newPassword } from '../../compose/services/mysql-url.ts'

/** A real server that one test has for itself, to kill, freeze and restart it on the same port and data. */
export class OwnServer implements AsyncDisposable {
  readonly url: string
  readonly #run: () => Promise<Daemon>
  readonly #answers: (daemon: Daemon) => Promise<void>
  readonly #remove: () => Promise<void>
  #daemon: Daemon | null = null

  constructor(parts: {
    url: string
    /** Starts the process. */
    run: () => Promise<Daemon>
    /** Waits until it answers. */
    answers: (daemon: Daemon) => Promise<void>
    /** Removes its data. */
    remove: () => Promise<void>
  }) {
    this.url = parts.url
    this.#run = parts.run
    this.#answers = parts.answers
    this.#remove = parts.remove
  }

  get pid(): number {
    if (this.#daemon === null) throw new Error('the server does not run')
    return this.#daemon.pid
  }

  /** Starts the process, for the first time or again. Resolves once it answers. */
  async start(): Promise<void> {
    this.#daemon = await this.#run()
    await this.#answers(this.#daemon)
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    if (this.#daemon !== null) await stopDaemon(this.#daemon)
    this.#daemon = null
  }

  /** Ends it as `kill -9` does. Resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.#daemon !== null) await killDaemon(this.#daemon)
    this.#daemon = null
  }

  /** It goes on existing and does nothing: connections stay open, nothing is answered. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.#remove()
  }
}

/** A broker alone, not started yet. Its URL has no prefix. */
export async function ownKafka(options: Pick<KafkaOptions, 'settings' | 'extraListeners'> = {}): Promise<OwnServer> {
  const [broker] = await ownKafkaCluster(1, options)
  return broker!
}

/** Brokers of one cluster, none started yet: two of three have to run before one answers. All have the same URL. */
export async function ownKafkaCluster(
  size: number,
  options: Pick<KafkaOptions, 'settings'> = {},
): Promise<OwnServer[]> {
  const program = await bringKafka(() => {})
  const nodes = await Promise.all(
    Array.from({ length: size }, async (_, index) => ({
      nodeId: index + 1,
      port: await freePort(),
      controllerPort: await freePort(),
      directory: await mkdtemp(join(tmpdir(), 'holdfast-kafka-')),
    })),
  )
  const url = `kafka://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  const clusterId = newClusterId()
  return nodes.map((node) => {
    const all = { ...program, ...node, ...options, clusterId, voters: nodes }
    return new OwnServer({
      url,
      run: () => startKafka(all),
      answers: (daemon) => untilKafkaAnswers(daemon, all),
      remove: () => rm(node.directory, { recursive: true, force: true }),
    })
  })
}

/** A database server, not started yet. Its URL is of a user who may do everything. */
export async function ownMariadb(options: Pick<MariadbOptions, 'settings'> = {}): Promise<OwnServer> {
  const all: MariadbOptions = {
    ...(await bringMariadb(() => {})),
    directory: await mkdtemp(join(tmpdir(), 'holdfast-mariadb-')),
    port: await freePort(),
    adminPassword: newPassword(),
    ...options,
  }
  return new OwnServer({
    url: mysqlUrl({ user: adminUser, password: all.adminPassword, port: all.port }),
    run: () => startMariadb(all),
    answers: (daemon) => untilMariadbAnswers(daemon, all),
    remove: () => rm(all.directory, { recursive: true, force: true }),
  })
}
