// Proves that an instance whose end the log cannot take is said so to whoever ends it, and holds up the end of no other.
import t from 'tap'
import { clusterTopics } from '../../../cluster/topics.ts'
import { Instances } from '../../../controller/members/instances.ts'
import { LogError } from '../../../log/errors.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import { testEnv } from '../../harness/env.ts'
import { testConfig } from '../../harness/settings.ts'

t.test('an end that is too large for the log', async (t) => {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(testConfig({ 'topics.slots': '1', 'topics.inbox_partitions': '1' })))
  const log = new MemoryLog(data, {
    beforeAppend: (_topic, _partition, entries) => {
      if (entries.some(({ value }) => value.includes('p-large'))) throw new LogError('too_large', 'never')
    },
  })
  const store = memoryStore(new MemoryStoreData())
  await store.migrate()
  await store.registerInstances(['p-large', 'p-small'])
  const env = testEnv({ log, store })
  const instances = new Instances(env, { controller: 'c', slots: () => ['default/0'], inboxPartitions: 1 })
  const [large, small] = await Promise.allSettled([instances.retire('p-large'), instances.retire('p-small')])
  t.match(large, { status: 'rejected', reason: { code: 'too_large' } })
  t.match(small, { status: 'fulfilled' })
  t.same(await store.instances(), [{ id: 'p-large', state: 'retired' }], 'it is tried again later')
  t.equal((await env.metrics.appendsDropped.get()).values[0]!.value, 1)
})
