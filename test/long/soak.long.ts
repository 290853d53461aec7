// Proves on Kafka and MariaDB, with two proxies and 200 real clients in 40 rooms, for many minutes of steady load:
// storms of random faults of our processes, while broker and database are killed, restarted and frozen and connections
// stand still or lose answers at random too, leave nothing lost, doubled, made up or out of order. Each round has its own
// seed; HOLDFAST_TEST_SEED sets the first, HOLDFAST_TEST_ROUNDS how many.
import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import t from 'tap'
import { makeDatabase } from '../../compose/services/database.ts'
import { freePort } from '../../compose/services/free-port.ts'
import { newPassword } from '../../compose/services/mysql-url.ts'
import { startOnServices } from '../harness/processes/on-services.ts'
import { stormScenario } from '../integrity/scenarios/storm.ts'
import { ownKafka, ownMariadb, type OwnServer } from '../support/own-server.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const firstSeed = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1)
const rounds = Number(process.env['HOLDFAST_TEST_ROUNDS'] ?? 5)

/** Faults of our own processes in a round; those of services come beside them, one after the other. */
const faultsPerRound = 60

/** All processes reach Kafka and MariaDB through a network that is bad on request. */
const brokerPort = await freePort()
const kafkaLink = await TcpProxy.listen({ host: '127.0.0.1', port: brokerPort })
const broker = await ownKafka({
  extraListeners: [{ name: 'LINK', port: brokerPort, advertisedPort: kafkaLink.port }],
})
const database = await ownMariadb()
const mysqlLink = await TcpProxy.listen({ host: '127.0.0.1', port: Number(new URL(database.url).port) })
t.teardown(async () => {
  await Promise.all([kafkaLink.close(), mysqlLink.close()])
  await Promise.all([broker[Symbol.asyncDispose](), database[Symbol.asyncDispose]()])
})
await Promise.all([broker.start(), database.start()])
const user = { database: 'holdfast', user: 'holdfast', password: newPassword() }
await makeDatabase(database.url, user)
const store = `mysql://${user.user}:${user.password}@127.0.0.1:${mysqlLink.port}/${user.database}`
const cluster = await startOnServices(t, { log: `kafka://127.0.0.1:${kafkaLink.port}`, store })

interface ServiceFault {
  kind: 'restart' | 'kill' | 'freeze' | 'blackhole' | 'lose'
  service: 'kafka' | 'mysql'
  /** How long it lasts, where it lasts. */
  forMs: number
  restMs: number
}

const serviceFault: fc.Arbitrary<ServiceFault> = fc.record({
  kind: fc.constantFrom('restart', 'kill', 'freeze', 'blackhole', 'lose'),
  service: fc.constantFrom('kafka', 'mysql'),
  forMs: fc.integer({ min: 100, max: 8_000 }),
  restMs: fc.integer({ min: 2_000, max: 10_000 }),
})

async function strikeService({ kind, service, forMs }: ServiceFault): Promise<void> {
  const [server, link]: [OwnServer, TcpProxy] = service === 'kafka' ? [broker, kafkaLink] : [database, mysqlLink]
  if (kind === 'restart' || kind === 'kill') {
    await (kind === 'kill' ? server.kill() : server.stop())
    await server.start()
  } else if (kind === 'freeze') {
    server.freeze()
    await sleep(forMs)
    server.thaw()
  } else if (kind === 'blackhole') {
    link.blackhole(...(forMs % 2 === 0 ? (['answers'] as const) : []))
    await sleep(forMs)
    link.restore()
  } else link.loseNextAnswers()
}

for (let round = 0; round < rounds; round++) {
  const seed = firstSeed + round
  const meanwhile = async (note: (text: string) => void, isOver: () => boolean): Promise<void> => {
    const [faults = []] = fc.sample(fc.array(serviceFault, { minLength: 100, maxLength: 100 }), { seed, numRuns: 1 })
    for (const fault of faults) {
      await sleep(fault.restMs)
      if (isOver()) return
      note(`${fault.kind} ${fault.service} ${fault.forMs}`)
      await strikeService(fault)
    }
  }
  stormScenario(t, cluster, { faults: faultsPerRound, engine: false, seed, meanwhile, name: `soak-${seed}` })
}
