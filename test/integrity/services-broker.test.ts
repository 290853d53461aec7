// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the broker may be
// restarted, killed, or frozen for 20 seconds. Clients get waits or errors to try again after; no socket closes; nothing
// is lost, doubled, made up or out of order; and all is well soon after.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { ownKafka } from '../support/own-server.ts'
import { outage } from './scenarios/outage.ts'

const frozenMs = 20_000

const broker = await ownKafka()
t.teardown(() => broker[Symbol.asyncDispose]())
await broker.start()
const cluster = await startOnServices(t, { log: broker.url })

void t.test('the broker fails in every way', async (t) => {
  await underLoad(t, cluster, 'broker', async (fleet) => {
    await outage(t, cluster, fleet, {
      name: 'the broker is restarted',
      run: async () => {
        await broker.stop()
        await broker.start()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'the broker is killed',
      run: async () => {
        await broker.kill()
        await broker.start()
      },
    })
    await outage(t, cluster, fleet, {
      name: 'the broker is frozen',
      run: async () => {
        broker.freeze()
        await sleep(frozenMs)
        broker.thaw()
      },
    })
  })
})
