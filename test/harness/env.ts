/** What production modules run on in a test: the one place where an environment is put together. */
import type { Env, StoreEnv } from '../../cluster/env.ts'
import { Faults } from '../../cluster/faults/faults.ts'
import type { FaultsOptions } from '../../cluster/faults/faults.ts'
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
  const clock = own?.clock ?? systemClock
  const metrics = own?.metrics ?? createMetrics()
  const usual: Env = {
    clock,
    random: systemRandom,
    log: own?.log ?? new MemoryLog(new MemoryLogData()),
    logger: quietLogger,
    metrics,
    faults: testFaults({ clock, metrics }),
  }
  return { ...usual, ...own } as Omit<Env, keyof Own> & Own
}

/** Faults that may be set; a kill fails the test that did not say what it does. */
export function testFaults(own: Partial<FaultsOptions> = {}): Faults {
  return new Faults({
    clock: systemClock,
    logger: quietLogger,
    metrics: own.metrics ?? createMetrics(),
    isEnabled: true,
    names: { private_prefix: '$', namespace_boundary: ':' },
    kill: () => {
      throw new Error('a fault kills what cannot be killed')
    },
    ...own,
  })
}
