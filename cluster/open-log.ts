import type { KafkaLogOptions } from '../log/kafka/kafka-log.ts'
import type { Log } from '../log/log.ts'

/**
 * Opens the log that a URL names: `kafka://…` or `embedded:<data directory>`. An adapter is loaded when it is needed. `options.events`
 * are told when any log is away; what else they say concerns Kafka alone.
 * Throws one clear error, without repeating the URL, for any other.
 */
export async function openLog(url: string, options: KafkaLogOptions = {}): Promise<Log> {
  const [scheme = '', rest = ''] = url.split(/:(.*)/s)
  if (scheme === 'kafka') {
    const { openKafkaLog } = await import('../log/kafka/kafka-log.ts')
    return openKafkaLog(url, options)
  }
  if (scheme === 'embedded' && rest !== '') {
    const { openEmbeddedLog } = await import('../log/embedded/embedded-log.ts')
    return openEmbeddedLog(rest, options.events)
  }
  throw new Error(`log: cannot open a URL that starts with "${scheme}:"; supported are kafka: and embedded:`)
}
