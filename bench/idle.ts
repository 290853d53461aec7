import type { BenchCluster } from './cluster.ts'
import type { Figure } from './report.ts'

/** CPU that a whole cluster takes while nobody is connected, in percent of one core. */
export async function idle(cluster: BenchCluster, seconds: number): Promise<Figure[]> {
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const before = await cluster.cpuMs()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const share = ((await cluster.cpuMs()) - before) / (seconds * 10)
  return [{ name: 'CPU of an idle npm start', value: share, unit: '% of a core' }]
}
