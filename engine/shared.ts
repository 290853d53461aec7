import { resolve } from 'node:path'
import type { OutageEvents } from '../platform/outages.ts'
import { EngineConnection } from './connection.ts'

interface Shared {
  connection: EngineConnection
  users: number
}

const shared = new Map<string, Shared>()

/**
 * This process's one connection to the engine of a data directory. The last user to release it closes it. The first one's
 * `events` are told when the engine is away.
 */
export function shareConnection(
  dataDir: string,
  events?: OutageEvents,
): { connection: EngineConnection; release: () => Promise<void> } {
  const path = resolve(dataDir)
  const entry = shared.get(path) ?? { connection: new EngineConnection(path, events), users: 0 }
  shared.set(path, entry)
  entry.users += 1
  let released = false
  return {
    connection: entry.connection,
    release: async () => {
      if (released) return
      released = true
      entry.users -= 1
      if (entry.users > 0) return
      shared.delete(path)
      await entry.connection.close()
    },
  }
}
