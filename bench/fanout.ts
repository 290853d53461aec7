import { BareServer } from './bare-server.ts'
import type { BenchCluster } from './cluster.ts'
import { Generator } from './generator.ts'
import { cpuOf } from './process.ts'
import type { Figure } from './report.ts'
import { quantile } from './stats.ts'
import type { Target } from './subscriber.ts'
import type { Volley } from './volley.ts'

const subscribers = 1_000
const seconds = 6
/** Compilers have done their work by then, on both sides. */
const warmUp: Volley = { perSecond: 600, seconds: 6 }

const rates: { name: string; perSecond: number | null }[] = [
  { name: '100/s', perSecond: 100 },
  { name: '600/s', perSecond: 600 },
  { name: 'as many as go', perSecond: null },
]

/** CPU times so far in ms. */
type Cpu = () => Promise<{ all: number; server: number }>

interface Measured {
  deliveriesPerSecond: number
  allUs: number
  serverUs: number
  p99Ms: number
  lost: number
  disconnected: number
}

/** One room of a thousand at several rates: what each delivery costs, beside a bare broadcast server. */
export async function fanout(cluster: BenchCluster): Promise<Figure[]> {
  const tokens = await Promise.all(Array.from({ length: subscribers }, (_, index) => cluster.token(`user-${index}`)))
  const { pid } = await cluster.proxy()
  const ours = await measure({ kind: 'holdfast', url: cluster.websocketUrl }, tokens, async () => ({
    all: await cluster.cpuMs(),
    server: await cpuOf(pid),
  }))
  await using bare = await BareServer.start()
  const floors = await measure({ kind: 'bare', url: bare.url }, tokens, async () => {
    const server = await cpuOf(bare.pid)
    return { all: server, server }
  })
  return rates.flatMap(({ name }, index) => figures(name, ours[index]!, floors[index]!))
}

async function measure(target: Target, tokens: string[], cpu: Cpu): Promise<Measured[]> {
  await using generator = new Generator()
  await generator.join(target, tokens, 1)
  const measured: Measured[] = []
  await generator.fire(warmUp)
  for (const { perSecond } of rates) {
    measured.push(await volley(generator, { perSecond, seconds }, cpu))
  }
  return measured
}

async function volley(generator: Generator, load: Volley, cpu: Cpu): Promise<Measured> {
  const before = await cpu()
  const { deliveries, elapsedMs, delaysMs, lost, disconnected } = await generator.fire(load)
  const after = await cpu()
  return {
    deliveriesPerSecond: (deliveries / elapsedMs) * 1000,
    allUs: ((after.all - before.all) * 1000) / deliveries,
    serverUs: ((after.server - before.server) * 1000) / deliveries,
    p99Ms: quantile(delaysMs, 0.99),
    lost,
    disconnected,
  }
}

function figures(rate: string, ours: Measured, floor: Measured): Figure[] {
  const name = 'bare ws broadcast'
  const at = `1 × ${subscribers.toLocaleString('en-US')}, ${rate}`
  return [
    {
      name: `deliveries, ${at}`,
      value: ours.deliveriesPerSecond,
      unit: '/s',
      floor: { name, value: floor.deliveriesPerSecond },
    },
    {
      name: `CPU of everything per delivery, ${at}`,
      value: ours.allUs,
      unit: 'µs',
      floor: { name, value: floor.allUs },
    },
    {
      name: `CPU of the proxy per delivery, ${at}`,
      value: ours.serverUs,
      unit: 'µs',
      floor: { name, value: floor.serverUs },
    },
    { name: `publish→delivery p99, ${at}`, value: ours.p99Ms, unit: 'ms', floor: { name, value: floor.p99Ms } },
    { name: `deliveries lost, ${at}`, value: ours.lost, unit: '' },
    { name: `clients disconnected, ${at}`, value: ours.disconnected, unit: '' },
  ]
}
