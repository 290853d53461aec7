import type { Log } from './log.ts'

/**
 * Opens the log that a URL names: `kafka://…` or `embedded:<data directory>`. An adapter is loaded when it is needed.
 * Throws one clear error, without repeating the URL, for any other.
 */
export async function openLog(url: string): Promise<Log> {
  const [scheme = '', rest = ''] = url.split(/:(.*)/s)
  if (scheme === 'kafka') {
    const { openKafkaLog } = await import('./kafka/kafka-log.ts')
    return openKafkaLog(url)
  }
  if (scheme === 'embedded' && rest !== '') {
    const { openEmbeddedLog } = await import('./embedded/embedded-log.ts')
    return openEmbeddedLog(rest)
  }
  throw new Error(`log: cannot open a URL that starts with "${scheme}:"; supported are kafka: and embedded:`)
}
