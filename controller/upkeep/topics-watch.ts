import type { Env } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { LogError } from '../../log/errors.ts'
import type { TopicSpec } from '../../log/log.ts'

/** How often the topics are looked at while everything runs. */
export const topicsLookMs = 60_000

/**
 * Looks whether the topics are still as they were made. One that was deleted is made again, and the slots and proxies
 * that read it find out; one that somebody changed is named in the log and in a metric until it is mended. Partitions
 * that somebody added are never used: a channel's slot depends on the number that the store has pinned.
 */
export class TopicsWatch {
  readonly wanted: TopicSpec[]
  readonly #env: Env

  constructor(env: Env, wanted: TopicSpec[]) {
    this.#env = env
    this.wanted = wanted
  }

  /** Makes the topics that are missing; says what only a person can mend, and shows it in a metric. */
  async look(stopped: () => boolean): Promise<void> {
    const { log, logger, metrics } = this.#env
    try {
      await untilAnswered(this.#env, () => log.createTopics(this.wanted), stopped)
      metrics.topicsMismatched.set(0)
    } catch (error) {
      const isForAPerson = error instanceof LogError && (error.code === 'topic_mismatch' || error.code === 'denied')
      if (!isForAPerson) throw error
      if (error.code === 'topic_mismatch') metrics.topicsMismatched.set(1)
      logger.error(
        { reason: error.message },
        error.code === 'denied' ? 'the topics cannot be looked at' : 'a topic is not as it should be',
      )
    }
  }
}
