import { slotCount } from '../../config/config.ts'
/** A cluster in one process whose slots a test leads by hand, and what became of them in the log and the store. */
import type { Log, LogEntry } from '../../log/log.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { encodeControl } from '../../protocol/records/control.ts'
import type { ControlRecord } from '../../protocol/records/control.ts'
import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import { decodeStatus } from '../../protocol/records/status.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import {
  commandTopic,
  controlTopic,
  defaultGroup,
  heartbeatPartitions,
  heartbeatTopic,
  statusTopic,
} from '../../protocol/records/topics.ts'
import { parseSlot, slotId } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Message } from '../../store/store.ts'
import type { Worker } from '../../worker/worker.ts'
import { until } from '../support/until.ts'
import { InProcessCluster } from './in-process-cluster.ts'

/** The one slot of a cluster that a test leads by hand. */
export const onlySlot = slotId(defaultGroup, 0)
export const commands = commandTopic(defaultGroup)

/** A cluster of one slot without a controller: the test says who owns it. */
export async function clusterByHand(flags: Record<string, string> = {}, origin = 'by hand'): Promise<InProcessCluster> {
  const cluster = new InProcessCluster({
    'topics.slots': '1',
    'client.command_rate': '100000',
    'client.command_burst': '100000',
    ...flags,
  })
  await cluster.store.migrate()
  await cluster.store.createGroup(defaultGroup, slotCount(cluster.config), origin)
  return cluster
}

/** What a controller would hint. */
export function hint(cluster: InProcessCluster, record: ControlRecord): void {
  cluster.logData.append(controlTopic, 0, [hintEntry(record)])
}

function hintEntry(record: ControlRecord): LogEntry {
  return { key: Buffer.from(keyOf(record)), value: encodeControl(record) }
}

function keyOf(record: ControlRecord): string {
  if (record.type === 'config' || record.type === 'namespaces') return record.type
  return record.type === 'move' ? record.slot : record.worker
}

/** Moves a slot and waits until it has: `from` lets go in order when named, and is fenced otherwise. */
export async function give(
  cluster: InProcessCluster,
  to: Worker,
  from: Worker | null = null,
  slot: SlotId = onlySlot,
): Promise<void> {
  await giveBy((move) => hint(cluster, move), cluster, { to, from, slot })
}

/** As `give`, where the processes have another log than the cluster's own. */
export async function giveVia(
  log: Log,
  cluster: InProcessCluster,
  to: Worker,
  from: Worker | null = null,
): Promise<void> {
  await giveBy((move) => log.append(controlTopic, 0, [hintEntry(move)]), cluster, { to, from, slot: onlySlot })
}

async function giveBy(
  send: (move: ControlRecord) => unknown,
  cluster: InProcessCluster,
  { to, from, slot }: { to: Worker; from: Worker | null; slot: SlotId },
): Promise<void> {
  const { epoch } = await cluster.store.lease(slot)
  await send({ type: 'move', term: 1, slot, epoch, from: from?.id ?? null, to: to.id, announced: null })
  await until(`${to.id} owns ${slot}`, async () => {
    const lease = await cluster.store.lease(slot)
    return lease.epoch > epoch && lease.owner === to.id
  })
}

/** Waits until everything in the slot's log has been handled. */
export async function handled(cluster: InProcessCluster, slot: SlotId = onlySlot): Promise<void> {
  const { partition } = parseSlot(slot)
  await until(`${slot} has no lag`, async () => {
    const { nextOffset } = await cluster.store.lease(slot)
    return nextOffset === cluster.logData.range(commands, partition).next
  })
}

/** What is stored of a channel, as data. */
export async function stored(cluster: InProcessCluster, channel: string, slot: SlotId = onlySlot): Promise<unknown[]> {
  return (await storedMessages(cluster, channel, slot)).map(({ data }): unknown => JSON.parse(data.toString()))
}

export function storedMessages(
  cluster: InProcessCluster,
  channel: string,
  slot: SlotId = onlySlot,
): Promise<Message[]> {
  const all = { after: 0, before: null, since: 0, limit: 100_000, reverse: false, bytesMax: 1_000_000_000 }
  return cluster.store.messages(slot, { channel, ...all })
}

/** All announcements so far. */
export function announcements(cluster: InProcessCluster): StatusRecord[] {
  const { oldest } = cluster.logData.range(statusTopic, 0)
  return cluster.logData.read(statusTopic, 0, oldest).map(({ value }) => decodeStatus(value))
}

/** The newest heartbeat of a worker. */
export function newestBeat(cluster: InProcessCluster, { id }: Worker): WorkerBeat {
  const records = cluster.logData.read(heartbeatTopic, partitionOf(id, heartbeatPartitions), 0)
  const beats = records.map(({ value }) => decodeStatus(value) as WorkerBeat)
  return beats.findLast((beat) => beat.id === id)!
}
