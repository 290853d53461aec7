import { setTimeout as sleep } from 'node:timers/promises'
import { BareServer } from './bare-server.ts'
import type { BenchCluster } from './cluster.ts'
import { Generator } from './generator.ts'
import { residentOf } from './process.ts'
import type { Figure } from './report.ts'
import type { Target } from './subscriber.ts'

export const idleClients = 5_000
export const idleRooms = 100

/** Memory counts as settled when it has not grown or shrunk by more than this between two looks. */
const settledBytes = 256 * 1024
const lookMs = 2_000
const looksMax = 10

interface Server {
  pid: number
  heapUsed: () => Promise<number>
}

interface Use {
  resident: number
  heap: number
}

/** Tokens of so many users. */
export async function tokensOf(cluster: BenchCluster, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => cluster.token(`user-${index}`)))
}

/** Memory of the proxy for each connection of a crowd that is subscribed and silent, beside a bare server. */
export async function memory(cluster: BenchCluster): Promise<Figure[]> {
  const tokens = await tokensOf(cluster, idleClients)
  const ours = await perConnection(await cluster.proxy(), { kind: 'holdfast', url: cluster.websocketUrl }, tokens)
  await using bare = await BareServer.start()
  const server = { pid: bare.pid, heapUsed: () => bare.heapUsed() }
  const floor = await perConnection(server, { kind: 'bare', url: bare.url }, tokens)
  const name = 'bare ws server'
  return [
    {
      name: 'resident memory of the proxy per idle connection',
      value: ours.resident / 1024,
      unit: 'KB',
      floor: { name, value: floor.resident / 1024 },
    },
    {
      name: 'heap of the proxy per idle connection',
      value: ours.heap / 1024,
      unit: 'KB',
      floor: { name, value: floor.heap / 1024 },
    },
  ]
}

async function perConnection(server: Server, target: Target, tokens: string[]): Promise<Use> {
  const before = await settled(server)
  await using generator = new Generator()
  await generator.join(target, tokens, idleRooms)
  const after = await settled(server)
  await generator.expectAll()
  return {
    resident: (after.resident - before.resident) / tokens.length,
    heap: (after.heap - before.heap) / tokens.length,
  }
}

async function settled({ pid, heapUsed }: Server): Promise<Use> {
  let resident = await residentOf(pid)
  for (let look = 0; look < looksMax; look++) {
    await sleep(lookMs)
    const now = await residentOf(pid)
    const isSettled = Math.abs(now - resident) <= settledBytes
    resident = now
    if (isSettled) break
  }
  return { resident, heap: await heapUsed() }
}
