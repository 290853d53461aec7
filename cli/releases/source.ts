import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, normalize, resolve } from 'node:path'
import { ReleaseError } from './errors.ts'
import type { ReleaseKind } from './release.ts'

/** What is to become a release. */
export interface Source {
  kind: Exclude<ReleaseKind, 'configured'>
  /** What is copied: a directory, or the one file in `files`. */
  directory: string
  /** The only file of a module that is one; null for all that the directory holds. */
  file: string | null
  /** What runs, in the directory. */
  entry: string
}

/** Names under which a directory's app module is found when its package.json names none. */
export const entryNames = ['index', 'app'].flatMap((name) => ['ts', 'mts', 'js', 'mjs'].map((end) => `${name}.${end}`))

/** Where the command line of a checkout is. */
const checkoutEntry = 'cli/holdfast.js'

/** What a path holds. Throws ReleaseError `unfit` when nothing that can run. */
export function sourceAt(path: string): Source {
  const whole = resolve(path)
  const found = statSync(whole, { throwIfNoEntry: false })
  if (found === undefined) throw unfit(`${path}: no such file or directory`)
  if (found.isFile()) {
    return { kind: 'module', directory: dirname(whole), file: basename(whole), entry: basename(whole) }
  }
  if (!found.isDirectory()) throw unfit(`${path} is neither a file nor a directory`)
  const manifest = readManifest(whole)
  if (manifest['name'] === 'holdfast' && existsSync(join(whole, checkoutEntry))) return checkout(whole, path)
  const entry = moduleIn(whole, manifest['main'])
  if (entry === undefined) {
    throw unfit(`${path} holds no app module: name it in "main" of its package.json, or call it ${entryNames[0]}`)
  }
  return { kind: 'module', directory: whole, file: null, entry }
}

function checkout(directory: string, path: string): Source {
  if (!existsSync(join(directory, 'node_modules'))) {
    throw unfit(`${path} is a checkout of Holdfast without node_modules: run "npm ci" in it first`)
  }
  return { kind: 'checkout', directory, file: null, entry: checkoutEntry }
}

function readManifest(directory: string): Record<string, unknown> {
  const path = join(directory, 'package.json')
  if (!existsSync(path)) return {}
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) ?? {}) as Record<string, unknown>
  } catch (error) {
    throw unfit(`${path}: ${(error as Error).message}`)
  }
}

function moduleIn(directory: string, main: unknown): string | undefined {
  const names = typeof main === 'string' ? [normalize(main)] : entryNames
  return names.find((name) => {
    const isInside = !isAbsolute(name) && name.split(/[/\\]/)[0] !== '..'
    return isInside && statSync(join(directory, name), { throwIfNoEntry: false })?.isFile()
  })
}

const unfit = (message: string) => new ReleaseError('unfit', message)
