import { setTimeout as pause } from 'node:timers/promises'
import type { BenchClient } from './client.ts'
import type { BenchCluster, WorkerRow } from './cluster.ts'
import { connectRooms } from './latency.ts'
import type { Figure } from './report.ts'
import { quantile } from './stats.ts'

const rooms = 32
const probeMs = 25
const warmUpMs = 15_000
/** The same for a worker that was just started. */
const newWorkerMs = 5_000

/**
 * What clients see of a hand-off: each room publishes every few ms, and its pause is the longest it waits for an ack.
 * The floor is the same over a time in which nothing happens. A planned hand-off goes to workers that run, as an operator
 * does it; a restart also has the start of the worker that stands in, on the same processors.
 */
export async function pauses(cluster: BenchCluster): Promise<Figure[]> {
  const clients = await connectRooms(cluster, rooms)
  // Compilers, here and in the services, have done their work by then.
  await longestWaits(clients, () => pause(warmUpMs))
  const calm = await longestWaits(clients, () => pause(3_000))
  const planned: number[] = []
  for (let round = 0; round < 3; round++) {
    const id = await cluster.startWorker()
    await settled(cluster, 3)
    await longestWaits(clients, () => pause(newWorkerMs))
    planned.push(...(await longestWaits(clients, () => drain(cluster, id, 2))))
  }
  const restarted: number[] = []
  for (let round = 0; round < 3; round++) {
    const [{ id }] = (await settled(cluster, 2)) as [WorkerRow]
    restarted.push(...(await longestWaits(clients, () => drain(cluster, id, 2))))
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
    { name: 'pause of a room, worker restarted, p50', value: quantile(restarted, 0.5), unit: 'ms', floor: floor(0.5) },
    {
      name: 'pause of a room, worker restarted, p99',
      value: quantile(restarted, 0.99),
      unit: 'ms',
      floor: floor(0.99),
    },
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
      await pause(probeMs)
    }
    return longest
  })
  await during()
  isOver = true
  return Promise.all(probing)
}

/** Drains a worker; `left` of them stand in for it then, one of which may have to be started. */
async function drain(cluster: BenchCluster, id: string, left: number): Promise<void> {
  await cluster.api(`/workers/${id}/drain`, 'POST')
  await gone(cluster, id, left)
}

/** Kills one of two workers and waits until another one stands in for it. */
export async function killOne(cluster: BenchCluster): Promise<void> {
  const [{ id, pid }] = (await settled(cluster, 2)) as [WorkerRow]
  process.kill(pid, 'SIGKILL')
  await gone(cluster, id, 2)
}

async function gone(cluster: BenchCluster, id: string, left: number): Promise<void> {
  while ((await settled(cluster, left)).some((worker) => worker.id === id)) await pause(20)
}

/** Waits until so many workers share all slots evenly. */
async function settled(cluster: BenchCluster, count: number): Promise<WorkerRow[]> {
  while (true) {
    const [workers, all] = await Promise.all([cluster.workers(), cluster.api<unknown[]>('/slots')])
    const slots = workers.map((worker) => worker.slots)
    const isShared = Math.max(...slots) - Math.min(...slots) <= 1 && slots.reduce((sum, n) => sum + n) === all.length
    if (workers.length === count && isShared) return workers
    await pause(20)
  }
}
