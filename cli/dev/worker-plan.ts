/** What a controller says of its versions. */
export interface SeenVersion {
  version: string
  /** It serves, is being rolled out, or may have to serve again soon. */
  wanted: boolean
}

/** The versions whose workers run here, and since when nobody wants them, in monotonic ms. */
export type RunningVersions = ReadonlyMap<string, { unwantedSince: number | null }>

/** What is to be done about the workers of this machine. */
export interface WorkerPlan {
  start: string[]
  stop: string[]
  /** For every version that runs from now on. */
  running: Map<string, { unwantedSince: number | null }>
}

/** Time for which nobody must have wanted a version before its workers are stopped: one look may be mistaken. */
export const unwantedMs = 2_000

/** Versions that are wanted and kept here. Where there is none, what runs goes on: nobody could take its place. */
export function wantedHere(
  seen: readonly SeenVersion[],
  isKept: (version: string) => boolean,
  running: RunningVersions,
): Set<string> {
  const wanted = seen.filter((each) => each.wanted && isKept(each.version)).map(({ version }) => version)
  return new Set(wanted.length > 0 ? wanted : running.keys())
}

/** Which versions' workers start and stop when these are wanted. */
export function planWorkers(wanted: ReadonlySet<string>, running: RunningVersions, now: number): WorkerPlan {
  const plan: WorkerPlan = { start: [], stop: [], running: new Map() }
  for (const version of wanted) {
    if (!running.has(version)) plan.start.push(version)
    plan.running.set(version, { unwantedSince: null })
  }
  for (const [version, { unwantedSince }] of running) {
    if (wanted.has(version)) continue
    const since = unwantedSince ?? now
    if (now - since >= unwantedMs) plan.stop.push(version)
    else plan.running.set(version, { unwantedSince: since })
  }
  return plan
}
