import type { BenchCluster } from './cluster.ts'
import { logAppends } from './floor.ts'
import { connectRooms } from './latency.ts'
import type { Figure } from './report.ts'

const rooms = 64
/** Publishes that each room keeps under way. */
const window = 32

/** Durable publishes per second with as much under way as goes through, beside bare appends to the same log. */
export async function saturation(cluster: BenchCluster, seconds: number): Promise<Figure[]> {
  const floor = await logAppends(cluster.logUrl, 3)
  const clients = await connectRooms(cluster, rooms)
  let acked = 0
  let errors = 0
  let end = performance.now() + 2_000
  const publishUntilEnd = async (client: (typeof clients)[number]) => {
    while (performance.now() < end) {
      if ((await client.publish({ text: 'x'.repeat(100) })) === null) errors++
      else acked++
    }
  }
  const run = () =>
    Promise.all(clients.flatMap((client) => Array.from({ length: window }, () => publishUntilEnd(client))))
  await run()
  acked = errors = 0
  const [start, cpu] = [performance.now(), await cluster.cpuMs()]
  end = start + seconds * 1000
  await run()
  const elapsed = (performance.now() - start) / 1000
  const cpuPerPublish = ((await cluster.cpuMs()) - cpu) / acked
  for (const client of clients) client.close()
  if (errors > 0) throw new Error(`${errors} publishes failed at saturation`)
  return [
    {
      name: 'durable publishes, saturated',
      value: acked / elapsed,
      unit: '/s',
      floor: { name: 'bare log appends', value: floor },
    },
    { name: 'CPU of the cluster per publish, saturated', value: cpuPerPublish * 1000, unit: 'µs' },
  ]
}
