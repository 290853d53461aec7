import type { KafkaEvents } from './kafka/events.ts'
import type { Log } from './log.ts'

/**
 * Opens the log that a URL names: `kafka://…` or `embedded:<data directory>`. An adapter is loaded when it is needed.
 * `events` are told what the Kafka adapter does. Throws one clear error, without repeating the URL, for any other.
 */
export async function openLog(url: string, events?: KafkaEvents): Promise<Log> {
  const [scheme = '', rest = ''] = url.split(/:(.*)/s)
  if (scheme === 'kafka') {
    const { openKafkaLog } = await import('./kafka/kafka-log.ts')
    return openKafkaLog(url, events)
  }
  if (scheme === 'embedded' && rest !== '') {
    const { openEmbeddedLog } = await import('./embedded/embedded-log.ts')
    return openEmbeddedLog(rest)
  }
  throw new Error(`log: cannot open a URL that starts with "${scheme}:"; supported are kafka: and embedded:`)
}
