import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, readFile, readdir, readlink, symlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { ReleaseError } from './errors.ts'
import type { Source } from './source.ts'

/** Names that are no part of a release, wherever they stand. */
const leftOut: readonly string[] = ['.git']

/** Files that are read or copied at the same time. */
const filesMax = 16

interface Entry {
  /** From the directory. */
  path: string
  isExecutable: boolean
  /** Of a link; null for a file. */
  target: string | null
}

/**
 * Copies what a source holds to the new directory `to`, but for the directory `except`, which may lie in it. Where the
 * file system can, the copies share their blocks. Throws ReleaseError `unfit` for what a release cannot keep.
 */
export async function copyContent(source: Source, to: string, except: string): Promise<void> {
  const entries = await entriesOf(source, except)
  const directories = new Set(entries.map(({ path }) => dirname(join(to, path))))
  for (const directory of directories) await mkdir(directory, { recursive: true })
  await forEach(entries, async ({ path, target }) => {
    if (target !== null) await symlink(target, join(to, path))
    else await copyFile(join(source.directory, path), join(to, path), constants.COPYFILE_FICLONE)
  })
}

/** A digest of all paths, links, rights to execute and bytes that copyContent() copies. Throws as it does. */
export async function checksumOf(source: Source, except: string): Promise<string> {
  const entries = await entriesOf(source, except)
  const digests = new Map<string, string>()
  await forEach(entries, async ({ path, target }) => {
    digests.set(path, target ?? digest(await readFile(join(source.directory, path))))
  })
  const lines = entries.map(({ path, isExecutable, target }) => {
    return JSON.stringify([path.split(sep).join('/'), isExecutable, target !== null, digests.get(path)])
  })
  return digest(lines.sort().join('\n'))
}

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

async function entriesOf({ directory, file }: Source, except: string): Promise<Entry[]> {
  return file === null ? entriesIn(directory, directory, except) : [await entryOf(directory, file)]
}

async function entriesIn(root: string, directory: string, except: string): Promise<Entry[]> {
  const names = await readdir(directory, { withFileTypes: true })
  const found = names
    .filter(({ name }) => !leftOut.includes(name) && join(directory, name) !== except)
    .map((each) => {
      const path = join(directory, each.name)
      return each.isDirectory() ? entriesIn(root, path, except) : entryOf(root, relative(root, path))
    })
  return (await Promise.all(found)).flat()
}

async function entryOf(root: string, path: string): Promise<Entry> {
  const whole = join(root, path)
  const found = await lstat(whole)
  if (found.isSymbolicLink()) return { path, isExecutable: false, target: await targetOf(root, whole) }
  if (!found.isFile()) throw new ReleaseError('unfit', `${whole} is no file: a release cannot keep it`)
  return { path, isExecutable: (found.mode & 0o100) !== 0, target: null }
}

/** A link that leads out would find something else, or nothing, later. */
async function targetOf(root: string, link: string): Promise<string> {
  const target = await readlink(link)
  const [first] = relative(root, resolve(dirname(link), target)).split(sep)
  if (isAbsolute(target) || first === '..') {
    throw new ReleaseError('unfit', `${link} leads out of the release, to ${target}: put a copy in its place`)
  }
  return target
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: filesMax }, lane))
}
