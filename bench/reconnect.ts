import { setTimeout as sleep } from 'node:timers/promises'
import { BareServer } from './bare-server.ts'
import type { BenchCluster } from './cluster.ts'
import { Generator } from './generator.ts'
import { idleClients, idleRooms, tokensOf } from './memory.ts'
import { cpuOf } from './process.ts'
import type { Figure } from './report.ts'

/** Publications in each room while everybody is away. */
const missed = 3
/** Between a step and the next one that is measured. */
const restMs = 1_000

/** All clients lose their connections, come back at once and recover, beside as many connects to a bare server. */
export async function reconnect(cluster: BenchCluster): Promise<Figure[]> {
  const tokens = await tokensOf(cluster, idleClients)
  await using generator = new Generator()
  await generator.join({ kind: 'holdfast', url: cluster.websocketUrl }, tokens, idleRooms)
  await generator.drop()
  await generator.publish(await cluster.token('publisher'), missed)
  await sleep(restMs)
  const { pid } = await cluster.proxy()
  const [cpu, proxyCpu] = [await cluster.cpuMs(), await cpuOf(pid)]
  const elapsedMs = await generator.comeBack(missed)
  const [cpuMs, proxyCpuMs] = [(await cluster.cpuMs()) - cpu, (await cpuOf(pid)) - proxyCpu]
  await generator.expectAll()
  const floor = await bareConnects(tokens)
  const name = 'bare ws connects'
  const of = `${idleClients.toLocaleString('en-US')} reconnects with recovery`
  return [
    { name: `time of ${of}`, value: elapsedMs, unit: 'ms', floor: { name, value: floor.elapsedMs } },
    { name: `CPU of everything, ${of}`, value: cpuMs, unit: 'ms', floor: { name, value: floor.cpuMs } },
    { name: `CPU of the proxy, ${of}`, value: proxyCpuMs, unit: 'ms', floor: { name, value: floor.cpuMs } },
  ]
}

async function bareConnects(tokens: string[]): Promise<{ elapsedMs: number; cpuMs: number }> {
  await using bare = await BareServer.start()
  await using generator = new Generator()
  await generator.join({ kind: 'bare', url: bare.url }, tokens, idleRooms)
  await generator.drop()
  await sleep(restMs)
  const cpu = await cpuOf(bare.pid)
  const elapsedMs = await generator.comeBack(0)
  return { elapsedMs, cpuMs: (await cpuOf(bare.pid)) - cpu }
}
