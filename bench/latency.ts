import { BenchClient } from './client.ts'
import type { BenchCluster } from './cluster.ts'
import { echo } from './echo.ts'
import { logRoundTrip } from './floor.ts'
import type { Figure, Floor } from './report.ts'
import { atRate, quantile } from './stats.ts'
import type { Load } from './stats.ts'

const rooms = 40

/** Compilers, here and in the services, have done their work by then. */
const warmUpSeconds = 20

export async function connectRooms(cluster: BenchCluster, count: number): Promise<BenchClient[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      BenchClient.connect(cluster.websocketUrl, await cluster.token(`user-${index}`), `room-${index}`),
    ),
  )
}

/** The same rate without anything of ours: to Kafka, MySQL and back, or a bare record through the same log. */
async function floorOf(cluster: BenchCluster, load: Load): Promise<(q: number) => Floor> {
  const { services } = cluster
  const isPlain = services.engines.log === 'kafka' && services.engines.store === 'mysql'
  const samples = isPlain ? await echo(services, load) : await logRoundTrip(cluster.logUrl, load)
  const name = isPlain ? 'two-hop kafkajs echo and commit' : 'bare log round trip'
  return (q) => ({ name, value: quantile(samples, q) })
}

/** Publish→ack and publish→delivery at a rate, beside what the same rate costs without us. */
export async function latency(cluster: BenchCluster, perSecond: number, seconds: number): Promise<Figure[]> {
  const floor = await floorOf(cluster, { perSecond, warmUpSeconds, seconds })
  const clients = await connectRooms(cluster, rooms)
  const acks: number[] = []
  const deliveries: number[] = []
  let errors = 0
  for (const client of clients) {
    client.onPublication = ({ at }) => {
      if (at !== undefined) deliveries.push(performance.now() - at)
    }
  }
  const publish = async (index: number) => {
    const ack = await clients[index % rooms]!.publish({ at: performance.now(), text: 'x'.repeat(100) })
    if (ack === null) errors++
    else acks.push(ack)
  }
  await atRate(perSecond, warmUpSeconds, publish)
  acks.length = deliveries.length = 0
  const cpu = await cluster.cpuMs()
  await atRate(perSecond, seconds, publish)
  const cpuPerPublish = ((await cluster.cpuMs()) - cpu) / (perSecond * seconds)
  for (const client of clients) client.close()
  if (errors > 0) throw new Error(`${errors} publishes failed at ${perSecond}/s`)
  const at = `at ${perSecond}/s`
  return [
    {
      name: `publish→ack p50 ${at}`,
      value: quantile(acks, 0.5),
      unit: 'ms',
      floor: floor(0.5),
    },
    {
      name: `publish→ack p99 ${at}`,
      value: quantile(acks, 0.99),
      unit: 'ms',
      floor: floor(0.99),
    },
    {
      name: `publish→delivery p50 ${at}`,
      value: quantile(deliveries, 0.5),
      unit: 'ms',
      floor: floor(0.5),
    },
    {
      name: `publish→delivery p99 ${at}`,
      value: quantile(deliveries, 0.99),
      unit: 'ms',
      floor: floor(0.99),
    },
    { name: `CPU of the cluster per publish ${at}`, value: cpuPerPublish * 1000, unit: 'µs' },
  ]
}
