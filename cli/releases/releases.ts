import { join, resolve } from 'node:path'
import { systemRandom } from '../../platform/random.ts'
import { ReleaseError } from './errors.ts'
import { releaseFiles } from './files.ts'
import type { ReleaseFiles } from './files.ts'
import { parseRelease } from './release.ts'
import type { Release } from './release.ts'
import type { Source } from './source.ts'

/** Deployed releases that are kept, beside those whose workers are wanted. */
export const releasesKept = 5

/** What the link of the release that serves is called; no version can be. */
export const currentName = 'current'

/** Versions whose workers were wanted last. */
const wantedFile = '.wanted.json'

/**
 * The releases of a data directory, side by side: `releases/VERSION/` with `release.json` and, in `content/`, a copy of
 * what was deployed. Everything is written under another name first, so that whoever looks sees all of it or nothing.
 */
export class Releases {
  readonly #dataDirectory: string
  readonly #directory: string
  readonly #files: ReleaseFiles

  constructor(dataDirectory: string, files: ReleaseFiles = releaseFiles) {
    this.#dataDirectory = resolve(dataDirectory)
    this.#directory = join(this.#dataDirectory, 'releases')
    this.#files = files
  }

  /** The newest first. */
  list(): Release[] {
    const names = this.#files.names(this.#directory).filter((name) => !name.startsWith('.') && name !== currentName)
    return names
      .flatMap((name) => this.find(name) ?? [])
      .sort((a, b) => (a.at === b.at ? (a.version < b.version ? 1 : -1) : a.at < b.at ? 1 : -1))
  }

  /** Null when there is none of that version. */
  find(version: string): Release | null {
    const text = this.#files.read(join(this.#directory, version, 'release.json'))
    const release = text === undefined ? null : parseRelease(text)
    return release?.version === version ? release : null
  }

  /** Where a release's own files are. */
  contentOf({ version }: Release): string {
    return join(this.#directory, version, 'content')
  }

  /**
   * Keeps a copy of the source as a release. One of that version with the same content stays as it is, but for the
   * number of its workers. Throws ReleaseError `other_content` for other content.
   */
  async keep(source: Source, as: { version: string; workers: number | null }, now: Date): Promise<Release> {
    this.tidy()
    if (this.find(as.version) !== null) {
      return this.#again(as, await this.#files.checksum(source, this.#dataDirectory))
    }
    const draft = this.#draft()
    const content = join(draft, 'content')
    try {
      this.#files.makeDirectory(draft)
      await this.#files.copy(source, content, this.#dataDirectory)
      const checksum = await this.#files.checksum({ ...source, directory: content }, this.#dataDirectory)
      const release: Release = { ...as, kind: source.kind, entry: source.entry, checksum, at: now.toISOString() }
      this.#files.write(join(draft, 'release.json'), textOf(release))
      this.#files.rename(draft, join(this.#directory, as.version))
      return release
    } catch (error) {
      this.#files.remove(draft)
      // Somebody else kept one of that version meanwhile.
      if (['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        return this.#again(as, await this.#files.checksum(source, this.#dataDirectory))
      }
      throw error
    }
  }

  #again(as: { version: string; workers: number | null }, checksum: string): Release {
    const kept = this.get(as.version)
    if (kept.kind === 'configured') {
      throw new ReleaseError('other_content', `${as.version} is the version of the configuration: give it another name`)
    }
    if (kept.checksum !== checksum) {
      const advice = 'a version never changes: give it another name'
      throw new ReleaseError('other_content', `${as.version} was deployed at ${kept.at} with other content; ${advice}`)
    }
    const release = { ...kept, workers: as.workers }
    if (as.workers !== kept.workers) this.#replace(join(this.#directory, as.version, 'release.json'), textOf(release))
    return release
  }

  /** As find(). Throws ReleaseError `unknown_release`. */
  get(version: string): Release {
    const release = this.find(version)
    if (release !== null) return release
    const known = this.list().map((each) => each.version)
    throw new ReleaseError('unknown_release', `no release ${version} is kept, only ${known.join(', ') || 'none'}`)
  }

  /** The app of the configuration is a release too: there is one such, and a deployed one of its version comes first. */
  keepConfigured({ version, app }: { version: string; app: string }, now: Date): Release {
    const before = this.list().filter(({ kind }) => kind === 'configured')
    for (const each of before) if (each.version !== version) this.#drop(each.version)
    const kept = this.find(version)
    if (kept !== null && (kept.kind !== 'configured' || kept.entry === app)) return kept
    const at = now.toISOString()
    const release: Release = { version, kind: 'configured', entry: app, checksum: '', workers: null, at }
    if (kept !== null) this.#replace(join(this.#directory, version, 'release.json'), textOf(release))
    else {
      const draft = this.#draft()
      this.#files.makeDirectory(draft)
      this.#files.write(join(draft, 'release.json'), textOf(release))
      this.#files.rename(draft, join(this.#directory, version))
    }
    return release
  }

  /** The release that serves; null before any has, or when it is not kept any more. */
  get current(): Release | null {
    const version = this.#files.target(join(this.#directory, currentName))
    return version === undefined ? null : this.find(version)
  }

  /** What serves when nobody says otherwise: the configured one, unless another was deployed and serves. */
  first(configured: Release): Release {
    const { current } = this
    return current === null || current.kind === 'configured' ? configured : current
  }

  /** Points `current` at a release. */
  setCurrent(version: string): void {
    const draft = this.#draft()
    this.#files.link(version, draft)
    this.#files.rename(draft, join(this.#directory, currentName))
  }

  /** Kept releases whose workers were wanted last. */
  get wanted(): Release[] {
    const versions: unknown = JSON.parse(this.#files.read(join(this.#directory, wantedFile)) ?? '[]')
    return Array.isArray(versions) ? versions.flatMap((version) => this.find(String(version)) ?? []) : []
  }

  /** Notes them for the next start. */
  setWanted(versions: readonly string[]): void {
    this.#replace(join(this.#directory, wantedFile), JSON.stringify(versions))
  }

  /** Drops the oldest deployed releases, none of `needed`; returns their versions. */
  prune(needed: ReadonlySet<string>): string[] {
    const deployed = this.list().filter(({ kind }) => kind !== 'configured')
    const needless = deployed.slice(releasesKept).filter(({ version }) => !needed.has(version))
    for (const { version } of needless) this.#drop(version)
    return needless.map(({ version }) => version)
  }

  /** Removes what somebody who was stopped in the middle has left. */
  tidy(): void {
    for (const name of this.#files.names(this.#directory)) {
      const pid = draftPid(name)
      if (pid !== null && pid !== process.pid && !isAlive(pid)) this.#files.remove(join(this.#directory, name))
    }
  }

  /** It is gone at once, and then its files. */
  #drop(version: string): void {
    const draft = this.#draft()
    this.#files.rename(join(this.#directory, version), draft)
    this.#files.remove(draft)
  }

  #replace(path: string, text: string): void {
    const draft = this.#draft()
    this.#files.write(draft, text)
    this.#files.rename(draft, path)
  }

  /** A name of this process alone. */
  #draft(): string {
    this.#files.makeDirectory(this.#directory)
    return join(this.#directory, `.draft-${process.pid}-${systemRandom.hex(4)}`)
  }
}

const draftPid = (name: string): number | null => {
  const found = /^\.draft-(\d+)-\w+$/.exec(name)?.[1]
  return found === undefined ? null : Number(found)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const textOf = (release: Release): string => `${JSON.stringify(release, null, 2)}\n`
