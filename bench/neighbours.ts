import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchCluster } from './cluster.ts'
import { connectRooms } from './latency.ts'
import { Nuisance } from './nuisance.ts'
import type { NuisanceKind, NuisanceReport } from './nuisance.ts'
import { killOne } from './pause.ts'
import { residentOf } from './process.ts'
import type { Figure } from './report.ts'
import { atRate, quantile } from './stats.ts'

const rooms = 8
const perSecond = 160
const warmUpSeconds = 10
const seconds = 10
/** A command that is not answered in this time counts as refused. */
const patienceMs = 10_000
/** Between two of them: what is left over goes away. */
const restMs = 3_000

/** What clients of other rooms see. */
interface Others {
  acks: number[]
  refused: number
}

/** Who does it, with how many clients, in words. */
const nuisances: { kind: NuisanceKind; clients: number; words: string }[] = [
  { kind: 'history', clients: 1, words: 'one reads 16 × 50 KB at its rate' },
  { kind: 'flood', clients: 20, words: '20 send far over their rate' },
  { kind: 'fragments', clients: 0, words: '100 send fragments before connect' },
  { kind: 'names', clients: 5, words: '5 subscribe to ever new names' },
]

/**
 * What one client's load costs those of other rooms: time from publish to ack, beside the same when nobody does
 * anything, and for a busy room whose worker is killed beside the same without the busy room.
 */
export async function neighbours(cluster: BenchCluster): Promise<Figure[]> {
  await look(cluster, warmUpSeconds)
  const calm = await look(cluster, seconds)
  const figures: Figure[] = []
  let refused = calm.refused
  const add = (words: string, floor: string, others: Others, beside: Others) => {
    refused += others.refused
    for (const [name, q] of [['p50', 0.5] as const, ['p99', 0.99] as const]) {
      const at = { name: floor, value: quantile(beside.acks, q) }
      figures.push({ name: `others' ack ${name}, ${words}`, value: quantile(others.acks, q), unit: 'ms', floor: at })
    }
  }
  for (const { kind, clients: count, words } of nuisances) {
    await pause(restMs)
    const { pid } = await cluster.proxy()
    const before = await residentOf(pid)
    const diskBefore = await diskOf(cluster.dataDir)
    const { others } = await beside(cluster, kind, count, () => look(cluster, seconds))
    add(words, 'calm', others, calm)
    if (kind === 'history') {
      const grown = ((await diskOf(cluster.dataDir)) - diskBefore) / 1_000_000
      figures.push({ name: 'disk that the data directory grew by meanwhile', value: Math.max(0, grown), unit: 'MB' })
    }
    if (kind === 'fragments') {
      const grown = ((await residentOf(pid)) - before) / 1_000_000
      figures.push({ name: 'memory that the proxy grew by meanwhile', value: Math.max(0, grown), unit: 'MB' })
    }
  }
  await pause(restMs)
  const lookAtKill = async () => {
    const looking = look(cluster, seconds)
    await pause(2_000)
    await killOne(cluster)
    return looking
  }
  const killed = await lookAtKill()
  await pause(restMs)
  const { others, report } = await beside(cluster, 'busy', 50, lookAtKill)
  add('a room of 2,000/s, its worker killed', 'a worker killed', others, killed)
  const refusedInRoom = Object.values(report.refused).reduce((sum, count) => sum + count, 0)
  figures.push({ name: 'refused in that room', value: refusedInRoom, unit: '' })
  figures.push({ name: 'refused to others, in all', value: refused, unit: '' })
  return figures
}

async function beside(
  cluster: BenchCluster,
  kind: NuisanceKind,
  count: number,
  during: () => Promise<Others>,
): Promise<{ others: Others; report: NuisanceReport }> {
  const tokens = await Promise.all(Array.from({ length: count }, (_, n) => cluster.token(`${kind}-${n}`)))
  const nuisance = await Nuisance.start({ kind, url: cluster.websocketUrl, tokens })
  const others = await during()
  const report = await nuisance.stop()
  process.stderr.write(`  ${kind}: ${JSON.stringify(report)}\n`)
  return { others, report }
}

/** Bytes of the files of a directory. */
async function diskOf(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Everybody publishes in a room of their own, steadily. */
async function look(cluster: BenchCluster, forSeconds: number): Promise<Others> {
  const clients = await connectRooms(cluster, rooms)
  const others: Others = { acks: [], refused: 0 }
  await atRate(perSecond, forSeconds, async (index) => {
    const late = pause(patienceMs, null, { ref: false })
    const ack = await Promise.race([clients[index % rooms]!.publish({ text: 'x'.repeat(100) }), late])
    if (ack === null) others.refused++
    others.acks.push(ack ?? patienceMs)
  })
  for (const client of clients) client.close()
  return others
}
