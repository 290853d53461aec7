import type { KafkaEvents } from '../log/kafka/events.ts'
import type { Log } from '../log/log.ts'

export interface LogOptions {
  /** Told what the Kafka adapter does, and when any log is away. */
  events?: KafkaEvents
  /**
   * How long the Kafka adapter lets an append wait, under load, for others to go with it (ms; 0 by default). Worth it
   * where messages enter: what goes in together is handled together all the way.
   */
  gatherMs?: number
}

/**
 * Opens the log that a URL names: `kafka://…` or `embedded:<data directory>`. An adapter is loaded when it is needed.
 * Throws one clear error, without repeating the URL, for any other.
 */
export async function openLog(url: string, options: LogOptions = {}): Promise<Log> {
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
