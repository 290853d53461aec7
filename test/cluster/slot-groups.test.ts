// Proves that a channel belongs to the group of its namespace and to one slot of it, the same as before there were
// groups; that groups and namespaces are as they were for good; and that a configuration that says otherwise is refused
// with what to do, before anything is noted.
import t from 'tap'
import { checkNamespaces, pinGroups } from '../../cluster/pin-groups.ts'
import { ChannelSlots, contradictionOf, slotGroups } from '../../cluster/slot-groups.ts'
import { clusterTopics } from '../../cluster/topics.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { MemoryStoreData, memoryStore } from '../../store/memory/memory-store.ts'
import { testConfig } from '../harness/settings.ts'

const namespaces = JSON.stringify(['staff', 'team.a', 'open'].map((name) => ({ name })))

/** The namespaces staff, team.a and open, in these groups. */
const configOf = (groups: { name: string; slots?: number; namespaces: string[] }[], slots = '4') =>
  testConfig({ 'topics.slots': slots, 'channel.namespaces': namespaces, 'topics.groups': JSON.stringify(groups) })

const both = { name: 'inner', slots: 3, namespaces: ['staff', 'team.a'] }

async function emptyStore() {
  const store = memoryStore(new MemoryStoreData())
  await store.migrate()
  return store
}

t.test('a channel belongs to the group of its namespace', async (t) => {
  const slots = new ChannelSlots(configOf([both]))
  const slotOf = (channel: string, group: string, count: number) => `${group}/${partitionOf(channel, count)}`
  for (const channel of ['staff:lunch', '$staff:lunch', 'team.a:x:y', 'staff:'])
    t.equal(slots.of(channel), slotOf(channel, 'inner', 3), channel)
  for (const channel of ['room', 'open:room', 'staff', 'unknown:room', ':staff', '$room', ''])
    t.equal(slots.of(channel), slotOf(channel, 'default', 4), channel)
  const alone = new ChannelSlots(testConfig({ 'topics.slots': '4' }))
  for (const channel of ['room', 'staff:lunch']) t.equal(alone.of(channel), slotOf(channel, 'default', 4))
})

t.test('each group has a command topic', async (t) => {
  const config = configOf([both])
  t.match(clusterTopics(config).slice(0, 2), [
    { name: 'holdfast.commands.default', partitions: 4, partitionsKey: 'topics.slots' },
    { name: 'holdfast.commands.inner', partitions: 3, partitionsKey: 'topics.groups[inner].slots' },
  ])
  t.same(
    slotGroups(config).map(({ name }) => name),
    ['default', 'inner'],
  )
})

t.test('groups and namespaces are made once', async (t) => {
  const store = await emptyStore()
  await pinGroups(store, configOf([both]), 'origin')
  await pinGroups(store, configOf([both]), 'another')
  const leases = await store.leases()
  t.same(
    leases.map(({ slot }) => slot),
    ['default/0', 'default/1', 'default/2', 'default/3', 'inner/0', 'inner/1', 'inner/2'],
  )
  t.ok(leases.every(({ origin }) => origin === 'origin'))
  t.same(await store.namespaces(), [
    { namespace: 'open', group: 'default' },
    { namespace: 'staff', group: 'inner' },
    { namespace: 'team.a', group: 'inner' },
  ])
})

t.test('another number of slots is refused by the key that says it', async (t) => {
  const store = await emptyStore()
  await pinGroups(store, configOf([both]), 'origin')
  await t.rejects(pinGroups(store, configOf([{ ...both, slots: 5 }]), 'origin'), {
    code: 'damaged',
    message: 'topics.groups[inner].slots is 5, but the cluster was made with 3, for good',
  })
  await t.rejects(pinGroups(store, configOf([both], '8'), 'origin'), { message: /^topics\.slots is 8/ })
})

t.test('a namespace in another group is refused with what to do, and nothing is noted', async (t) => {
  const store = await emptyStore()
  const config = configOf([{ ...both, namespaces: ['staff'] }])
  await checkNamespaces(store, config)
  await pinGroups(store, config, 'origin')
  const cases: [Parameters<typeof configOf>[0], RegExp][] = [
    [[], /^topics\.groups has namespace staff in the group default, .*put it into topics\.groups\[inner\]\.namespaces/],
    [[both], /namespace team\.a in the group inner, .*take it out of topics\.groups\[inner\]\.namespaces/],
    [
      [{ ...both, name: 'other', namespaces: ['staff'] }],
      /namespace staff in the group other, .*put it into topics\.groups\[inner\]/,
    ],
  ]
  const before = [await store.namespaces(), await store.leases()]
  for (const [groups, message] of cases) {
    await t.rejects(checkNamespaces(store, configOf(groups)), { code: 'damaged', message })
    await t.rejects(pinGroups(store, configOf(groups), 'origin'), { code: 'damaged', message })
  }
  t.same([await store.namespaces(), await store.leases()], before)
})

t.test('a namespace that nobody configures any more contradicts nothing', async (t) => {
  t.equal(contradictionOf(configOf([both]), [{ namespace: 'gone', group: 'elsewhere' }]), null)
  t.equal(contradictionOf(testConfig(), [{ namespace: 'staff', group: 'inner' }]), null)
})

t.test('of two that are of another opinion at once, one is refused', async (t) => {
  const store = await emptyStore()
  const results = await Promise.allSettled([
    pinGroups(store, configOf([both]), 'one'),
    pinGroups(store, configOf([{ ...both, name: 'outer' }]), 'other'),
  ])
  t.same(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})
