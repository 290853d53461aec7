import { once } from 'node:events'
import { lstat, mkdtemp, readdir, rmdir, unlink } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { EngineStartError } from './errors.ts'

/**
 * An engine's socket lies in a directory of its own in the system's temporary one, since a data directory may have any
 * name and lie anywhere. A directory is used for one socket only, so that one whose owner is gone stays so.
 */
const prefix = 'holdfast-engine-'
const socketName = 'socket'

/** What a socket is called until somebody listens on it: under its own name it is alive or dead, nothing between. */
const draftName = 'draft'

/** Bytes that a socket's path may have (sun_path, with its last zero: 108 on Linux, 104 elsewhere). */
const socketPathBytesMax = process.platform === 'linux' ? 107 : 103

/** A directory without a socket is one of an engine that starts, unless it has been there for so long. */
const startingMs = 60_000

/** Makes a directory, closed to others. Throws an EngineStartError where the system's temporary one is no place for it. */
export async function makeSocketDirectory(): Promise<{ draft: string; socket: string }> {
  const start = join(tmpdir(), prefix)
  const tooLong = Buffer.byteLength(join(`${start}123456`, socketName)) - socketPathBytesMax
  if (tooLong > 0) throw misplaced(`its name is ${tooLong} bytes too long for a socket in it`)
  const directory = await mkdtemp(start).catch((error: Error) => {
    throw misplaced(error.message, error)
  })
  return { draft: join(directory, draftName), socket: join(directory, socketName) }
}

function misplaced(reason: string, cause?: Error): EngineStartError {
  const message = `the temporary directory ${tmpdir()} cannot be used (${reason}): set TMPDIR to another`
  return new EngineStartError('misplaced', message, { cause })
}

/** Removes a socket and its directory, unless somebody put anything else there. */
export async function removeSocketDirectory(socket: string): Promise<void> {
  const directory = dirname(socket)
  if (!basename(directory).startsWith(prefix)) return
  for (const name of [socketName, draftName]) await unlink(join(directory, name)).catch(ignore)
  await rmdir(directory).catch(ignore)
}

/**
 * Removes what engines left that were killed, whatever their data directory was. Touches only directories that this user
 * alone could have written to, and of those only the ones where nobody listens.
 */
export async function removeDeadSockets(): Promise<void> {
  // One that cannot be read is said where a socket is to be made in it.
  const names = await readdir(tmpdir()).catch(() => [])
  await Promise.all(
    names
      .filter((name) => name.startsWith(prefix))
      .map(async (name) => {
        const socket = join(tmpdir(), name, socketName)
        if ((await isOurs(dirname(socket))) && (await isDead(socket))) await removeSocketDirectory(socket)
      }),
  )
}

async function isOurs(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => null)
  if (found === null) return false
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
}

async function isDead(socket: string): Promise<boolean> {
  const connection = createConnection(socket)
  try {
    await once(connection, 'connect')
    return false
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED') return true
    if (code !== 'ENOENT') return false
    const found = await lstat(dirname(socket)).catch(() => null)
    return found !== null && Date.now() - found.mtimeMs > startingMs
  } finally {
    connection.destroy()
  }
}

/** It is gone already, or is not only ours: then it stays. */
function ignore(): void {}
