import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a running engine is to be found, as `<data_dir>/engine.json` says. */
export interface EnginePlace {
  pid: number
  socket: string
}

/** The file that says where a running engine is. */
export const placeFile = (dataDir: string): string => join(dataDir, 'engine.json')

/** Null when no engine has noted its place, or only half of it. */
export async function readPlace(dataDir: string): Promise<EnginePlace | null> {
  try {
    const place = JSON.parse(await readFile(placeFile(dataDir), 'utf8')) as Partial<EnginePlace>
    return typeof place.pid === 'number' && typeof place.socket === 'string'
      ? { pid: place.pid, socket: place.socket }
      : null
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Readers see the old place or the new one, nothing between. */
export async function writePlace(dataDir: string, place: EnginePlace): Promise<void> {
  const draft = `${placeFile(dataDir)}.new`
  await rm(draft, { force: true })
  await writeFile(draft, `${JSON.stringify(place)}\n`, { mode: 0o600 })
  await rename(draft, placeFile(dataDir))
}

/** So that nobody looks for an engine that has stopped. */
export async function removePlace(dataDir: string): Promise<void> {
  await rm(placeFile(dataDir), { force: true })
}
