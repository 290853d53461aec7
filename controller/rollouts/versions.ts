import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { Lease } from '../../store/store.ts'

/** A version for whoever starts and ends workers. */
export interface VersionView {
  version: string
  /** Workers of it are to be there: it serves, or it may have to. */
  wanted: boolean
  /** That live, draining ones included. */
  workers: number
  /** That they own. */
  slots: number
}

/** All versions that are wanted or there, by name. */
export function versionViews(
  wanted: ReadonlySet<string>,
  workers: readonly WorkerBeat[],
  leases: readonly Lease[],
): VersionView[] {
  const versions = new Map(workers.map(({ id, version }) => [id, version]))
  const owners = leases.map(({ owner }) => (owner === null ? undefined : versions.get(owner)))
  return [...new Set([...wanted, ...versions.values()])].toSorted().map((version) => ({
    version,
    wanted: wanted.has(version),
    workers: workers.filter((worker) => worker.version === version).length,
    slots: owners.filter((owner) => owner === version).length,
  }))
}
