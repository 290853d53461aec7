import type { BenchCluster } from './cluster.ts'
import { BenchClient } from './client.ts'
import { logRoundTrip } from './floor.ts'
import type { Figure } from './report.ts'
import { atRate, quantile } from './stats.ts'

const rooms = 40

export async function connectRooms(cluster: BenchCluster, count: number): Promise<BenchClient[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      BenchClient.connect(cluster.websocketUrl, await cluster.token(`user-${index}`), `room-${index}`),
    ),
  )
}

/** Publish→ack and publish→delivery at a rate, beside a bare record through the same log at the same rate. */
export async function latency(cluster: BenchCluster, perSecond: number, seconds: number): Promise<Figure[]> {
  const floor = await logRoundTrip(cluster.dataDir, perSecond, seconds)
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
  await atRate(perSecond, 1, publish)
  acks.length = deliveries.length = 0
  const cpu = await cluster.cpuMs()
  await atRate(perSecond, seconds, publish)
  const cpuPerPublish = ((await cluster.cpuMs()) - cpu) / (perSecond * seconds)
  for (const client of clients) client.close()
  if (errors > 0) throw new Error(`${errors} publishes failed at ${perSecond}/s`)
  const at = `at ${perSecond}/s`
  const log = { name: 'bare log round trip' }
  return [
    {
      name: `publish→ack p50 ${at}`,
      value: quantile(acks, 0.5),
      unit: 'ms',
      floor: { ...log, value: quantile(floor, 0.5) },
    },
    {
      name: `publish→ack p99 ${at}`,
      value: quantile(acks, 0.99),
      unit: 'ms',
      floor: { ...log, value: quantile(floor, 0.99) },
    },
    {
      name: `publish→delivery p50 ${at}`,
      value: quantile(deliveries, 0.5),
      unit: 'ms',
      floor: { ...log, value: quantile(floor, 0.5) },
    },
    {
      name: `publish→delivery p99 ${at}`,
      value: quantile(deliveries, 0.99),
      unit: 'ms',
      floor: { ...log, value: quantile(floor, 0.99) },
    },
    { name: `CPU of the cluster per publish ${at}`, value: cpuPerPublish * 1000, unit: 'µs' },
  ]
}
