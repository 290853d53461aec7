/** Which workers are taken out for a while, and how many may be. */
import type { Cluster } from './cluster.ts'

/** How often it is looked who is ejected, ms. */
const lookEveryMs = 50

/** Ejects whoever stalls once; of so few workers a tenth is one. */
export function outlierRule(versions: readonly string[]): object {
  return {
    apiVersion: 'holdfast.dev/v1',
    kind: 'DestinationRule',
    metadata: { name: 'workers' },
    spec: {
      host: 'chat-worker',
      trafficPolicy: {
        outlierDetection: {
          consecutiveGatewayErrors: 1,
          interval: '100ms',
          baseEjectionTime: '500ms',
          maxEjectionPercent: 10,
        },
      },
      subsets: versions.map((version) => ({ name: version, labels: { version } })),
    },
  }
}

/** Looks now and then that no more than one worker of a version is ejected, which is what `outlierRule` allows. */
export function watchEjected(cluster: Cluster): void {
  cluster.scheduler.after(lookEveryMs, null, 'looks who is ejected', () => {
    for (const { members, placement } of cluster.processes.leaders) {
      const live = members.workers().filter(({ beat }) => beat.state === 'live')
      const { ejected } = placement
      for (const [version, mine] of Map.groupBy(live, ({ beat }) => beat.version)) {
        const out = mine.filter(({ beat }) => ejected.has(beat.id)).length
        if (out > 1) cluster.broken(`${out} of ${mine.length} workers of ${version} are ejected`)
      }
    }
    watchEjected(cluster)
  })
}
