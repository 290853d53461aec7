import { shareConnection } from '../engine/shared.ts'
import { embeddedStore } from './embedded/embedded-store.ts'
import type { Store } from './store.ts'

/** Opens the store that a URL names: `embedded:<data directory>`. Throws one clear error for any other. */
export function openStore(url: string): Store {
  const [scheme = '', directory = ''] = url.split(/:(.*)/s)
  if (scheme !== 'embedded' || directory === '') {
    throw new Error(`store: cannot open a URL that starts with "${scheme}:"; supported is embedded:<data directory>`)
  }
  const { connection, release } = shareConnection(directory)
  return embeddedStore(connection, release)
}
