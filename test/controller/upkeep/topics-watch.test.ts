// Proves that a topic which somebody changed under a running cluster is named, as long as it is so, and stops nothing;
// and that a controller does not wait for a log that is away.
import t from 'tap'
import { TopicsWatch } from '../../../controller/upkeep/topics-watch.ts'
import { LogError } from '../../../log/errors.ts'
import type { Log } from '../../../log/log.ts'
import { testEnv } from '../../harness/env.ts'
import { notingLogger } from '../../support/loggers.ts'
import { ManualClock } from '../../support/manual-clock.ts'

t.test('changed and mended', async (t) => {
  let answer: LogError | null = new LogError('topic_mismatch', 'topic holdfast.inbox has 17 partitions, not 16')
  const { lines, logger } = notingLogger()
  const log = { createTopics: () => (answer ? Promise.reject(answer) : Promise.resolve()) } as unknown as Log
  const env = testEnv({ clock: new ManualClock(), log, logger })
  const watch = new TopicsWatch(env, [])
  const value = async () => (await env.metrics.topicsMismatched.get()).values[0]!.value
  await watch.look(() => false)
  t.equal(await value(), 1)
  t.match(JSON.stringify(lines), /has 17 partitions, not 16/)
  answer = null
  await watch.look(() => false)
  t.equal(await value(), 0)
  answer = new LogError('unavailable', 'the log is away')
  await watch.look(() => true)
  t.equal(await value(), 0)
  answer = new LogError('closed', 'the log is closed')
  await t.rejects(
    watch.look(() => false),
    answer,
  )
})
