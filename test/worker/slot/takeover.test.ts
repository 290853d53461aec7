// Proves when a slot must not be gone on with, and that what a successor warmed up with is true again when it takes
// over.
import t from 'tap'
import { haltReason } from '../../../worker/slot/takeover.ts'
import {
  clusterByHand,
  commands,
  give,
  handled,
  hint,
  onlySlot,
  stored,
  storedMessages,
} from '../../harness/by-hand.ts'
import { Gate } from '../../support/gate.ts'
import { notingLogger } from '../../support/loggers.ts'
import { commandOf } from '../../support/records.ts'
import { until } from '../../support/until.ts'

t.test('whether log and store fit', async (t) => {
  t.equal(haltReason(5, { oldest: 0, next: 5 }), null, 'all handled')
  t.equal(haltReason(5, { oldest: 5, next: 9 }), null, 'trimmed up to its place')
  t.equal(haltReason(0, { oldest: 0, next: 0 }), null, 'nothing yet')
  t.match(haltReason(6, { oldest: 0, next: 5 }), /ends at 5/)
  t.match(haltReason(4, { oldest: 5, next: 9 }), /begins at 5/)
})

/** B is warm and held, whatever `meanwhile` does; then it takes over from A. */
async function whileWarm(meanwhile: (cluster: Awaited<ReturnType<typeof clusterByHand>>) => Promise<void>) {
  const cluster = await clusterByHand({ 'worker.quiesce_timeout': '30s' })
  const gate = new Gate()
  const handles = cluster.handles({ beforeAppend: () => gate.pass() })
  const [a, b] = [await cluster.worker(), await cluster.worker({ handles })]
  await give(cluster, a)
  cluster.logData.append(commands, 0, [{ key: null, value: commandOf({ channel: 'room', n: 1, method: 'subscribe' }) }])
  await handled(cluster)
  const { epoch } = await cluster.store.lease(onlySlot)
  gate.shut()
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: a.id, to: b.id, announced: null })
  await until('B is held', () => gate.held > 0)
  await meanwhile(cluster)
  gate.open()
  await cluster.owned([b])
  return cluster
}

t.test('an instance that is gone since then', async (t) => {
  await using cluster = await whileWarm(async (cluster) => {
    const gone = commandOf({
      channel: '',
      n: 1,
      method: 'gone',
      instance: 'c',
      producer: 'c',
      payload: Buffer.from('p-elsewhere'),
    })
    cluster.logData.append(commands, 0, [{ key: null, value: gone }])
    await handled(cluster)
  })
  const publish = (n: number, instance: string) =>
    commandOf({ channel: 'room', n, instance, producer: `${instance}.1` })
  cluster.logData.append(
    commands,
    0,
    [publish(9, 'p-elsewhere'), publish(1, 'p-other')].map((value) => ({ key: null, value })),
  )
  await handled(cluster)
  t.same(await stored(cluster, 'room'), [null], 'late commands of it are refused')
  const rows = () => Number(cluster.storeData.sql.get('SELECT count(*) AS n FROM interest')!['n'])
  await until('its interest is gone', () => rows() === 0)
})

t.test('a reset behind the place where a successor warmed up', async (t) => {
  await using cluster = await clusterByHand()
  const gate = new Gate()
  const handles = cluster.handles({}, { beforeCommit: (request) => (request === 'acquire' ? gate.pass() : undefined) })
  const b = await cluster.worker({ handles })
  for (const n of [1, 2, 3])
    cluster.logData.append(commands, 0, [{ key: null, value: commandOf({ channel: 'room', n }) }])
  cluster.storeData.sql.run('UPDATE lease SET next_offset = 3')
  gate.shut()
  const { epoch } = await cluster.store.lease(onlySlot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: null, to: b.id, announced: null })
  await until('B is warm', () => gate.held === 1)
  await cluster.store.resetSlot(onlySlot, 0)
  gate.open()
  await until('B has gone on', async () => (await cluster.store.lease(onlySlot)).nextOffset === 3)
  t.same(await stored(cluster, 'room'), [null, null, null])
})

t.test('what is committed while a successor warms up', async (t) => {
  await using cluster = await clusterByHand({ 'worker.quiesce_timeout': '30s' })
  const [commits, leases] = [new Gate(), new Gate()]
  const worker = (request: string, gate: Gate) =>
    cluster.worker({
      handles: cluster.handles({}, { beforeCommit: (each) => (each === request ? gate.pass() : undefined) }),
    })
  const [a, b] = [await worker('commit', commits), await worker('lease', leases)]
  const send = (n: number, channel: string, method = 'publish') =>
    cluster.logData.append(commands, 0, [{ key: null, value: commandOf({ channel, n, method }) }])
  await give(cluster, a)
  send(1, 'room', 'subscribe')
  await handled(cluster)
  commits.shut()
  send(2, 'room')
  send(3, 'elsewhere')
  await until('A commits', () => commits.held > 0)
  const { epoch } = await cluster.store.lease(onlySlot)
  leases.shut()
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: a.id, to: b.id, announced: null })
  await until('B asks for the place', () => leases.held > 0)
  commits.open()
  await handled(cluster)
  leases.open()
  await cluster.owned([b])
  send(4, 'room')
  await until('B has handled it', async () => {
    const { owner, nextOffset } = await cluster.store.lease(onlySlot)
    return owner !== b.id || nextOffset === 4
  })
  t.same(await stored(cluster, 'room'), [null, null], 'it knew what the room had come to')
})

t.test('a store that goes back while a successor is warm', async (t) => {
  await using cluster = await clusterByHand()
  const acquires = new Gate()
  const beforeCommit = (request: string) => (request === 'acquire' ? acquires.pass() : undefined)
  const [a, b] = [await cluster.worker(), await cluster.worker({ handles: cluster.handles({}, { beforeCommit }) })]
  const send = (n: number, channel: string, method = 'publish') =>
    cluster.logData.append(commands, 0, [{ key: null, value: commandOf({ channel, n, method }) }])
  await give(cluster, a)
  send(1, 'room', 'subscribe')
  send(2, 'room')
  // The record before the place to go on from is looked at, and would give its channel away.
  send(3, 'elsewhere')
  await handled(cluster)
  const snapshot = cluster.storeData.snapshot()
  send(4, 'room')
  await handled(cluster)
  acquires.shut()
  const { epoch } = await cluster.store.lease(onlySlot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: null, to: b.id, announced: null })
  await until('B is warm', () => acquires.held === 1)
  a.kill()
  cluster.storeData.goBackTo(snapshot)
  acquires.open()
  await handled(cluster)
  send(5, 'room')
  await handled(cluster)
  t.same(
    (await storedMessages(cluster, 'room')).map(({ offset }) => offset),
    [1, 2, 3],
    'what B had loaded was lost: it goes on after what there is',
  )
  t.equal((await cluster.store.lease(onlySlot)).incarnation, 1, 'B had seen how far it was, though nobody had said so')
})

t.test('a store that went back, and the answer that says so is lost, and the next one', async (t) => {
  await using cluster = await clusterByHand()
  // The first answer of each acquisition; what is asked again with the same token says that it is too late.
  const lost = new Set<unknown>()
  const afterCommit = (request: string, [asked]: readonly unknown[]) => {
    const { token } = asked as { token: string }
    if (request !== 'acquire' || lost.size === 2 || lost.has(token)) return
    lost.add(token)
    throw new Error('lost')
  }
  const { lines, logger } = notingLogger()
  const { env } = cluster.handles({}, { afterCommit })
  const [a, b] = [await cluster.worker(), await cluster.worker({ handles: { env: { ...env, logger } } })]
  await give(cluster, a)
  a.kill()
  const { epoch } = await cluster.store.lease(onlySlot)
  const announced = { incarnation: 3, nextOffset: 9 }
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: null, to: b.id, announced })
  await cluster.owned([b])
  await until('it is told', () => lines.some(({ msg }) => msg.startsWith('the store went back in time')))
  t.match(await cluster.store.lease(onlySlot), { incarnation: 4, epoch: epoch + 3 })
})
