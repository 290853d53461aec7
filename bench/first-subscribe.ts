import { BenchClient } from './client.ts'
import type { BenchCluster } from './cluster.ts'
import { echo } from './echo.ts'
import { logTwoHops } from './floor.ts'
import type { Figure } from './report.ts'
import { atRate, quantile } from './stats.ts'

/** So few that each has the cluster for itself. */
const load = { perSecond: 40, warmUpSeconds: 15, seconds: 15 }

/**
 * The first subscribe of a channel that nobody has: there and back through the log and one transaction, beside what that
 * costs without us. The client leaves the channel at once, as one does that only looks.
 */
export async function firstSubscribe(cluster: BenchCluster): Promise<Figure[]> {
  const { services } = cluster
  const isPlain = services.engines.log === 'kafka' && services.engines.store === 'mysql'
  const floors = isPlain ? await echo(services, load) : await logTwoHops(cluster.logUrl, load)
  const floorName = isPlain ? 'two-hop kafkajs echo and commit' : 'two hops of the bare log'
  const client = await BenchClient.connect(cluster.websocketUrl, await cluster.token('first'), 'room-first')
  const times: number[] = []
  await atRate(load.perSecond, load.warmUpSeconds + load.seconds, async (index) => {
    const channel = `room-new-${index}`
    const start = performance.now()
    const { error } = await client.command({ subscribe: { channel } })
    if (error) throw new Error(`subscribe: ${error.code} ${error.message}`)
    times.push(performance.now() - start)
    await client.command({ unsubscribe: { channel } })
  })
  client.close()
  const measured = times.slice(load.perSecond * load.warmUpSeconds)
  return [['p50', 0.5] as const, ['p99', 0.99] as const].map(([name, q]) => ({
    name: `first subscribe of a channel ${name}`,
    value: quantile(measured, q),
    unit: 'ms',
    floor: { name: floorName, value: quantile(floors, q) },
  }))
}
