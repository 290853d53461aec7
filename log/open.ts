import { shareConnection } from '../engine/shared.ts'
import { EmbeddedLog } from './embedded/embedded-log.ts'
import type { Log } from './log.ts'

/** Opens the log that a URL names: `embedded:<data directory>`. Throws one clear error for any other. */
export function openLog(url: string): Log {
  const [scheme = '', directory = ''] = url.split(/:(.*)/s)
  if (scheme !== 'embedded' || directory === '') {
    throw new Error(`log: cannot open a URL that starts with "${scheme}:"; supported is embedded:<data directory>`)
  }
  const { connection, release } = shareConnection(directory)
  return new EmbeddedLog(connection, release)
}
