import pino from 'pino'
import type { StoreEnv } from '../cluster/env.ts'
import { Faults } from '../cluster/faults/faults.ts'
import type { Config } from '../config/config.ts'
import { MemoryLog } from '../log/memory/memory-log.ts'
import type { MemoryLogData } from '../log/memory/memory-log.ts'
import { createMetrics } from '../observability/metrics.ts'
import { systemClock } from '../platform/clock.ts'
import { systemRandom } from '../platform/random.ts'
import { memoryStore } from '../store/memory/memory-store.ts'
import type { MemoryStoreData } from '../store/memory/memory-store.ts'

/** What one process of a cluster runs on that is in this process as a whole. No fault is set. */
export function memoryEnv(config: Config, logs: MemoryLogData, stores: MemoryStoreData): StoreEnv {
  const metrics = createMetrics()
  const logger = pino({ level: 'silent' })
  const [clock, random] = [systemClock, systemRandom]
  const faults = new Faults({ clock, logger, metrics, isEnabled: true, names: config.channel, kill: () => {} })
  return { clock, random, logger, metrics, faults, log: new MemoryLog(logs), store: memoryStore(stores) }
}
