import type { Config } from '../../config/config.ts'
import { printJson } from '../output/output.ts'
import { table } from '../output/table.ts'
import { Releases } from '../releases/releases.ts'

/** Prints the releases of the data directory, the newest first. */
export function listReleases(config: Config, json: boolean): void {
  const releases = new Releases(config.data_dir)
  const current = releases.current?.version
  const wanted = new Set(releases.wanted.map(({ version }) => version))
  const rows = releases.list().map((release) => ({
    version: release.version,
    state: release.version === current ? 'serves' : wanted.has(release.version) ? 'runs' : 'kept',
    kind: release.kind,
    entry: release.entry,
    workers: release.workers,
    at: release.at,
    checksum: release.checksum,
  }))
  if (json) return printJson(rows)
  const shown = rows.map(({ checksum, ...row }) => ({ ...row, checksum: checksum.slice(0, checksumShown) || null }))
  process.stdout.write(rows.length === 0 ? 'no releases\n' : table(shown))
}

/** Characters of a checksum that tell releases apart for a person. */
const checksumShown = 12
