import { BenchClient } from './client.ts'
import { BenchCluster } from './cluster.ts'
import { format } from './report.ts'
import type { BenchServices } from './services.ts'
import { atRate, quantile } from './stats.ts'

interface Shape {
  proxies: number
  workers: number
  slots: number
  /** Subscribers of each room. */
  roomSize: number
  /** Publishes per second over all rooms. */
  perSecond: number
}

const usual: Shape = { proxies: 1, workers: 2, slots: 64, roomSize: 1, perSecond: 500 }
const rooms = 40
const seconds = 5

const factors: { name: string; shapes: Partial<Shape>[] }[] = [
  { name: 'proxies', shapes: [{ proxies: 1 }, { proxies: 2 }, { proxies: 4 }] },
  { name: 'workers', shapes: [{ workers: 1 }, { workers: 2 }, { workers: 4 }] },
  { name: 'slots', shapes: [{ slots: 16 }, { slots: 64 }, { slots: 256 }] },
  {
    name: 'roomSize',
    shapes: [1, 10, 100].map((roomSize) => ({ roomSize, perSecond: 50 })),
  },
]

/** What one publish costs as one factor grows and the others stay: a table of CPU per process kind, and the latency. */
export async function scaling(services: BenchServices): Promise<string> {
  const lines: string[] = []
  for (const { name, shapes } of factors) {
    lines.push(`\n${name}\n`)
    const rows = []
    for (const shape of shapes) rows.push(await measure(services, { ...usual, ...shape }, name))
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    lines.push(`| ${columns.join(' | ')} |`, `|${' --- |'.repeat(columns.length)}`)
    for (const row of rows) lines.push(`| ${columns.map((column) => row[column] ?? '').join(' | ')} |`)
  }
  return lines.join('\n')
}

async function measure(services: BenchServices, shape: Shape, name: string): Promise<Record<string, string>> {
  process.stderr.write(`scaling ${JSON.stringify(shape)} …\n`)
  await using cluster = await BenchCluster.start(services, {
    HOLDFAST_DEV_PROXIES: `${shape.proxies}`,
    HOLDFAST_DEV_WORKERS: `${shape.workers}`,
    HOLDFAST_TOPICS_SLOTS: `${shape.slots}`,
  })
  const urls = await cluster.websocketUrls()
  const clients: BenchClient[] = []
  for (let index = 0; index < rooms * shape.roomSize; index++) {
    const url = urls[index % urls.length]!
    clients.push(await BenchClient.connect(url, await cluster.token(`user-${index}`), `room-${index % rooms}`))
  }
  const acks: number[] = []
  const publish = async (index: number) => {
    const ack = await clients[index % clients.length]!.publish({ text: 'x'.repeat(100) })
    if (ack === null) throw new Error('a publish failed')
    acks.push(ack)
  }
  await atRate(shape.perSecond, 2, publish)
  acks.length = 0
  const before = await cluster.cpuByRole()
  await atRate(shape.perSecond, seconds, publish)
  const after = await cluster.cpuByRole()
  for (const client of clients) client.close()
  const row: Record<string, string> = { [name]: `${shape[name as keyof Shape]}`, 'publishes/s': `${shape.perSecond}` }
  let total = 0
  for (const [role, ms] of after) {
    const each = ((ms - (before.get(role) ?? 0)) * 1000) / (shape.perSecond * seconds)
    total += each
    if (role !== 'supervisor') row[`${role} µs`] = each.toFixed(0)
  }
  row['all µs'] = total.toFixed(0)
  row['ack p50 ms'] = format(quantile(acks, 0.5))
  row['ack p99 ms'] = format(quantile(acks, 0.99))
  return row
}
