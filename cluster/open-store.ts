import type { MysqlEvents } from '../store/mysql/events.ts'
import type { Store } from '../store/store.ts'

/**
 * Opens the store that a URL names: `mysql://…` or `embedded:<data directory>`. An adapter is loaded when it is needed.
 * `events` are told what the MySQL adapter does, and when any store is away. Throws one clear error, without repeating the URL, for any other.
 */
export async function openStore(url: string, events?: MysqlEvents): Promise<Store> {
  const [scheme = '', rest = ''] = url.split(/:(.*)/s)
  if (scheme === 'mysql') {
    const { openMysqlStore } = await import('../store/mysql/mysql-store.ts')
    return openMysqlStore(url, events)
  }
  if (scheme === 'embedded' && rest !== '') {
    const { openEmbeddedStore } = await import('../store/embedded/embedded-store.ts')
    return openEmbeddedStore(rest, events)
  }
  throw new Error(`store: cannot open a URL that starts with "${scheme}:"; supported are mysql: and embedded:`)
}
