/**
 * What a release is: the app of the configuration, an app module (a file, or a directory with one), or a whole checkout
 * of Holdfast with a worker of its own.
 */
export type ReleaseKind = 'configured' | 'module' | 'checkout'

/** One version of the workers, as its `release.json` says. */
export interface Release {
  version: string
  kind: ReleaseKind
  /** What runs, as a path in the release's content; of the configured one, `worker.app`. */
  entry: string
  /** Of all its content; empty for the configured one. */
  checksum: string
  /** Workers that run it; null for as many as `dev.workers` says. */
  workers: number | null
  /** When it was kept, ISO 8601. */
  at: string
}

const kinds: readonly unknown[] = ['configured', 'module', 'checkout'] satisfies ReleaseKind[]

/** Reads the text of a `release.json`; null when it is none. */
export function parseRelease(text: string): Release | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  const release = value as Release | null
  const isOne =
    [release?.version, release?.entry, release?.checksum, release?.at].every((member) => typeof member === 'string') &&
    kinds.includes(release?.kind) &&
    (release?.workers === null || Number.isInteger(release?.workers))
  return isOne ? release : null
}
