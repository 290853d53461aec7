import { randomBytes } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { createConnection } from 'mysql2/promise'
import { makeDatabase } from '../compose/services/database.ts'
import { servicesUp } from '../compose/services/services.ts'
import { parseKafkaUrl } from '../log/kafka/url.ts'

export interface Engines {
  log: 'embedded' | 'kafka'
  store: 'embedded' | 'mysql'
}

/** Where one cluster keeps what it has, on services that others use too. */
export interface Place extends AsyncDisposable {
  /** What the cluster's processes are told. */
  settings: Record<string, string>
}

/** Kafka and MySQL for a bench: found or started, with a topic prefix and a database of its own for each cluster. */
export class BenchServices {
  readonly engines: Engines
  readonly log: string
  readonly storeAdmin: string
  /** Processes of this machine that do the services' work; none when they run elsewhere. */
  readonly pids: { kafka?: number; mysql?: number }

  private constructor(engines: Engines, log: string, storeAdmin: string, pids: BenchServices['pids']) {
    this.engines = engines
    this.log = log
    this.storeAdmin = storeAdmin
    this.pids = pids
  }

  static async open(engines: Engines): Promise<BenchServices> {
    if (engines.log === 'embedded' && engines.store === 'embedded') return new BenchServices(engines, '', '', {})
    const say = (line: string) => void process.stderr.write(`services: ${line}\n`)
    const { log, storeAdmin, pids } = await servicesUp({
      dataDir: process.env['HOLDFAST_DATA_DIR'] ?? '.holdfast',
      env: process.env,
      say,
    })
    return new BenchServices(engines, log, storeAdmin, {
      ...(engines.log === 'kafka' && pids.kafka !== null && { kafka: pids.kafka }),
      ...(engines.store === 'mysql' && pids.mysql !== null && { mysql: pids.mysql }),
    })
  }

  async place(): Promise<Place> {
    const name = `bench_${randomBytes(6).toString('hex')}`
    const settings: Record<string, string> = {}
    if (this.engines.log === 'kafka') settings['HOLDFAST_LOG'] = `${this.log}/${name}`
    if (this.engines.store === 'mysql') settings['HOLDFAST_STORE'] = await this.#makeDatabase(name)
    return {
      settings,
      [Symbol.asyncDispose]: async () => {
        if (this.engines.log === 'kafka') await this.#dropTopics(name)
        if (this.engines.store === 'mysql') await this.#dropDatabase(name)
      },
    }
  }

  async #makeDatabase(database: string): Promise<string> {
    const password = randomBytes(16).toString('hex')
    await makeDatabase(this.storeAdmin, { database, user: database, password })
    const url = new URL(this.storeAdmin)
    url.username = database
    url.password = password
    url.pathname = `/${database}`
    return url.href
  }

  async #dropDatabase(database: string): Promise<void> {
    const connection = await createConnection(this.storeAdmin)
    await connection.query(`DROP DATABASE ${database}`)
    await connection.query(`DROP USER ${database}`)
    await connection.end()
  }

  async #dropTopics(prefix: string): Promise<void> {
    const admin = new Kafka({ ...parseKafkaUrl(this.log).client, logLevel: logLevel.ERROR }).admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.disconnect()
  }
}
