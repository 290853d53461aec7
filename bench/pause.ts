import type { BenchClient } from './client.ts'
import type { BenchCluster } from './cluster.ts'
import { connectRooms } from './latency.ts'
import type { Figure } from './report.ts'
import { quantile } from './stats.ts'

const rooms = 32
const probeMs = 25

/**
 * What clients see of a hand-off: each room publishes every few ms, and its pause is the longest it waits for an ack.
 * The floor is the same over a time in which nothing happens.
 */
export async function pauses(cluster: BenchCluster): Promise<Figure[]> {
  const clients = await connectRooms(cluster, rooms)
  const calm = await longestWaits(clients, () => new Promise((resolve) => setTimeout(resolve, 3_000)))
  const planned: number[] = []
  for (let round = 0; round < 3; round++) {
    planned.push(...(await longestWaits(clients, () => drainOne(cluster))))
  }
  const killed: number[] = []
  for (let round = 0; round < 3; round++) {
    killed.push(...(await longestWaits(clients, () => killOne(cluster))))
  }
  for (const client of clients) client.close()
  const floor = (q: number) => ({ name: 'longest wait when calm', value: quantile(calm, q) })
  return [
    { name: 'pause of a room, planned hand-off, p50', value: quantile(planned, 0.5), unit: 'ms', floor: floor(0.5) },
    { name: 'pause of a room, planned hand-off, p99', value: quantile(planned, 0.99), unit: 'ms', floor: floor(0.99) },
    { name: 'pause of a room, worker killed, p50', value: quantile(killed, 0.5), unit: 'ms', floor: floor(0.5) },
    { name: 'pause of a room, worker killed, max', value: quantile(killed, 1), unit: 'ms', floor: floor(1) },
  ]
}

async function longestWaits(clients: BenchClient[], during: () => Promise<unknown>): Promise<number[]> {
  let isOver = false
  const probing = clients.map(async (client) => {
    let longest = 0
    while (!isOver) {
      const wait = await client.publish({ text: 'probe' })
      if (wait === null) throw new Error('a publish failed during a hand-off')
      longest = Math.max(longest, wait)
      await new Promise((resolve) => setTimeout(resolve, probeMs))
    }
    return longest
  })
  await during()
  isOver = true
  return Promise.all(probing)
}

async function drainOne(cluster: BenchCluster): Promise<void> {
  const before = await settled(cluster)
  const { id } = before[0]!
  await cluster.api(`/workers/${id}/drain`, 'POST')
  await replaced(cluster, id)
}

async function killOne(cluster: BenchCluster): Promise<void> {
  const before = await settled(cluster)
  const { id, pid } = before[0]!
  process.kill(pid, 'SIGKILL')
  await replaced(cluster, id)
}

/** Waits until another worker stands in for the one that went and the slots are shared out again. */
async function replaced(cluster: BenchCluster, id: string): Promise<void> {
  while ((await settled(cluster)).some((worker) => worker.id === id))
    await new Promise((resolve) => setTimeout(resolve, 20))
}

async function settled(cluster: BenchCluster): Promise<Awaited<ReturnType<BenchCluster['workers']>>> {
  while (true) {
    const workers = await cluster.workers()
    const counts = workers.map(({ slots }) => slots)
    // The slots are shared out evenly, and all of them are.
    if (counts.length === 2 && counts[0]! > 0 && counts[0] === counts[1]) return workers
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
