/** What production modules run on in a test: the one place where an environment is put together. */
import type { Env, StoreEnv } from '../../cluster/env.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { systemRandom } from '../../platform/random.ts'
import { quietLogger } from '../support/loggers.ts'

/**
 * An environment of the parts that are given. The clock and the randomness are else those of this machine, the logger
 * is quiet, the log is empty and, like the metrics, of this environment alone. A store is there only when it is given.
 */
export function testEnv<Own extends Partial<StoreEnv> = object>(own?: Own): Omit<Env, keyof Own> & Own {
  const usual: Env = {
    clock: systemClock,
    random: systemRandom,
    log: own?.log ?? new MemoryLog(new MemoryLogData()),
    logger: quietLogger,
    metrics: own?.metrics ?? createMetrics(),
  }
  return { ...usual, ...own } as Omit<Env, keyof Own> & Own
}
