import type { Test } from 'tap'
import { clusterTopics } from '../../cluster/topics.ts'
import type { LogEntry } from '../../log/log.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { partitionOf } from '../../protocol/partition.ts'
import type { OutboxRow } from '../../store/store.ts'
import { Lanes } from '../../worker/emit/lanes.ts'
import { testEnv } from '../harness/env.ts'
import { testConfig } from '../harness/settings.ts'
import { Gate } from '../support/gate.ts'

const instance = (partition: number) =>
  ['p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5'].find((id) => partitionOf(id, 2) === partition)!

/** Two instances whose inboxes lie in different partitions: the way to the slow one is held by the gate. */
export const [fast, slow] = [instance(0), instance(1)]

/** Bytes of a row. */
export const rowBytes = 600

export const rowOf = (batchEnd: number, part: number, inboxes: string[]): OutboxRow => ({
  batchEnd,
  part,
  inboxes,
  body: Buffer.alloc(rowBytes),
})

/** The lanes of a worker to these two, whose backlog is full beyond 1,000 bytes. `refuse` may throw what the log answers. */
export function twoLanes(t: Test, refuse: (entries: LogEntry[]) => void = () => {}) {
  const data = new MemoryLogData()
  data.createTopics(clusterTopics(testConfig({ 'topics.slots': '1', 'topics.inbox_partitions': '2' })))
  const gate = new Gate().shut()
  const log = new MemoryLog(data, {
    beforeAppend: (_topic, partition, entries) => {
      refuse(entries)
      return partition === 1 ? gate.pass() : undefined
    },
  })
  const lanes = new Lanes(testEnv({ log }), 2, 1_000)
  t.teardown(() => lanes.stop())
  return { data, gate, lanes }
}
