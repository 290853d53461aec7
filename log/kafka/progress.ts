import type { Brokers } from './brokers.ts'
import { errorName, failureOf } from './errors.ts'
import type { KafkaEvents } from './events.ts'

/** How often offsets are committed to Kafka. */
export const progressMs = 5_000

/**
 * Commits how far slots are to Kafka as well, in a group named like the topic, so that the tools which show the lag of
 * consumer groups show ours. Nothing depends on it, so what fails is left for the next time.
 */
export class Progress {
  readonly #brokers: Brokers
  readonly #events: KafkaEvents
  readonly #topics = new Map<string, Map<number, number>>()
  #timer: NodeJS.Timeout | null = null

  constructor(brokers: Brokers, events: KafkaEvents) {
    this.#brokers = brokers
    this.#events = events
  }

  /** The newest of each partition is committed once in `progressMs`. */
  note(topic: string, partition: number, nextOffset: number): void {
    this.#topics.getOrInsertComputed(topic, () => new Map()).set(partition, nextOffset)
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      void this.#commit()
    }, progressMs).unref()
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
  }

  async #commit(): Promise<void> {
    const topics = [...this.#topics]
    this.#topics.clear()
    for (const [topic, offsets] of topics) {
      try {
        const broker = await this.#brokers.coordinator(topic)
        await broker.offsetCommit({
          groupId: topic,
          // Of nobody who has joined the group.
          groupGenerationId: -1,
          memberId: '',
          retentionTime: -1,
          topics: [
            { topic, partitions: [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) })) },
          ],
        })
      } catch (error) {
        // Only a tool's picture is older by one round.
        this.#events.failed('progress', errorName(failureOf(error, topic)))
      }
    }
  }
}
