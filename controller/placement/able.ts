import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'

/** Who cannot own slots, and why. */
export interface Unable {
  /** Ids of live workers whose app hangs. */
  stuck: ReadonlySet<string>
  /** Ids of those that erred or stalled and are taken out for a while. */
  ejected: ReadonlySet<string>
  /** Versions that do not work with what the cluster writes, with the reason. */
  unfit: ReadonlyMap<string, string>
}

/**
 * Workers that can own slots. Those that are ejected do when nobody else of their version can: a worker that errs is
 * better than none, and no version loses its part for it. Pure.
 */
export function ableWorkers(workers: readonly WorkerBeat[], { stuck, ejected, unfit }: Unable): WorkerBeat[] {
  const fit = workers.filter(({ id, state, version }) => state === 'live' && !stuck.has(id) && !unfit.has(version))
  const healthy = new Set(fit.filter(({ id }) => !ejected.has(id)).map(({ version }) => version))
  return fit.filter(({ id, version }) => !ejected.has(id) || !healthy.has(version))
}
