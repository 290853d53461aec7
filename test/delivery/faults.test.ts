/**
 * Proves that whatever fault is set, at whatever stage, no promise is broken: real SDK clients send while commands, messages
 * and requests are delayed, fail, or end the process that they are in, and the checker finds nothing lost, doubled, made up
 * or out of order. No socket closes but where the fault closes it, and no record is blamed for a kill.
 */
import t from 'tap'
import { disconnects } from '../../protocol/client/codes.ts'
import { faultKinds, faultStages } from '../../protocol/records/fault.ts'
import type { FaultKind, FaultStage } from '../../protocol/records/fault.ts'
import { carefulFrom } from '../../store/store.ts'
import { triesMax } from '../../worker/slot/takeover.ts'
import { commands, onlySlot, stored } from '../harness/by-hand.ts'
import { Fleet } from '../harness/clients/fleet.ts'
import { FaultyCluster } from '../harness/faulty.ts'
import { subscribeTimeout, transportClosed, unsubscribeError } from '../integrity/scenarios/close-codes.ts'
import { deadLettersIn } from '../support/dead-letters.ts'
import { until } from '../support/until.ts'

const share = (value: number) => ({ percentage: { value } })

const actions: Record<FaultKind, (isProxy: boolean) => object> = {
  delay: () => ({ delay: { ...share(20), fixedDelay: '40ms' } }),
  abort: () => ({ abort: share(10) }),
  kill: (isProxy) => ({ kill: share(isProxy ? 0.5 : 3) }),
}
/** So often it is to strike. */
const strikes: Record<FaultKind, number> = { delay: 10, abort: 5, kill: 2 }

const ofProxy: readonly FaultStage[] = ['proxy.onFrame', 'proxy.onSend', 'produce']

/** Codes with which a fault itself may close sockets; none at a worker. */
function closes(stage: FaultStage, kind: FaultKind): number[] {
  if (kind === 'kill' && ofProxy.includes(stage)) return [transportClosed, subscribeTimeout, unsubscribeError]
  return stage === 'proxy.onSend' && kind === 'abort' ? [disconnects.forceReconnect.code] : []
}

t.test('each record is killed for once, however many follow one another, and none is blamed', async (t) => {
  await using faulty = await FaultyCluster.start({ 'topics.slots': '1', 'client.insecure': 'true' })
  const { cluster } = faulty
  const client = await cluster.client(await cluster.proxy())
  await client.publish('room', 0)
  const records = () => cluster.logData.range(commands, 0).next
  const before = records()
  await faulty.set('k', { stage: 'worker.afterPoll', kill: share(100) })
  const messages = Array.from({ length: carefulFrom + triesMax + 1 }, (_, index) => index + 1)
  for (const message of messages) t.notOk((await client.publish('room', message)).error)
  t.equal(faulty.kills, records() - before)
  t.same(await stored(cluster, 'room'), [0, ...messages])
  t.same(deadLettersIn(cluster.storeData.sql, onlySlot), [])
  t.match(await cluster.store.lease(onlySlot), { attempts: 0 })
})

t.test('every kind of fault at every stage', { timeout: 240_000 }, async (t) => {
  await using faulty = await FaultyCluster.start()
  using fleet = await Fleet.start({
    urls: [faulty.url],
    name: 'faults',
    clients: 12,
    rooms: 6,
    roomsPerClient: 2,
    sendsPerSecond: 150,
    visitors: 0,
  })
  fleet.startLoad()
  for (const stage of faultStages) {
    for (const kind of faultKinds) {
      const name = `${kind}-${stage.replace('.', '-').toLowerCase()}`
      const kills = faulty.kills
      const codes = closes(stage, kind)
      const window = codes.length > 0 ? fleet.mayClose(name, codes) : null
      fleet.note(name)
      await faulty.set(name, { stage, seed: 1, ...actions[kind](ofProxy.includes(stage)) })
      await until(`${name} strikes`, async () => (await faulty.injected(name)) >= strikes[kind], 20_000)
      await faulty.clear()
      await fleet.flows(60, 20_000)
      await fleet.connected()
      window?.close()
      t.equal(faulty.kills > kills, kind === 'kill', `${name} struck ${await faulty.injected(name)} times`)
    }
  }
  await fleet.healed()
  await fleet.flows()
  t.equal(await fleet.verdict(), '', 'the checker finds nothing')
  t.comment(fleet.summary())
  const leases = await faulty.cluster.store.leases()
  for (const { slot } of leases) t.same(deadLettersIn(faulty.cluster.storeData.sql, slot), [], `${slot} blames nobody`)
})
