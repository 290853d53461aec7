import {
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { checksumOf, copyContent } from './content.ts'

/** What Releases does to the file system, one step each: whoever stops between two of them leaves a good state. */
export const releaseFiles = {
  copy: copyContent,
  checksum: checksumOf,
  makeDirectory: (path: string): void => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  write: (path: string, text: string): void => writeFileSync(path, text, { mode: 0o600, flush: true }),
  link: (target: string, path: string): void => symlinkSync(target, path),
  rename: (from: string, to: string): void => renameSync(from, to),
  remove: (path: string): void => rmSync(path, { recursive: true, force: true }),
  /** Undefined when there is no such link. */
  target: (path: string): string | undefined => ifThere(() => readlinkSync(path)),
  /** Undefined when there is no such file. */
  read: (path: string): string | undefined => ifThere(() => readFileSync(path, 'utf8')),
  /** Empty when there is no such directory. */
  names: (path: string): string[] => ifThere(() => readdirSync(path)) ?? [],
}

/** The file system as Releases sees it. */
export type ReleaseFiles = typeof releaseFiles

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
