import pino from 'pino'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { Controller } from '../../controller/controller.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import type { MemoryLogHooks } from '../../log/memory/memory-log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { systemRandom } from '../../platform/random.ts'
import type { StoreEnv } from '../../cluster/env.ts'
import { Proxy } from '../../proxy/proxy.ts'
import { MemoryStoreData, memoryStore } from '../../store/memory/memory-store.ts'
import type { MemoryStore, MemoryStoreHooks } from '../../store/memory/memory-store.ts'
import type { App } from '../../protocol/app/contract.ts'
import { chat } from '../../apps/chat/chat.ts'
import { Worker } from '../../worker/worker.ts'
import { Client } from './clients/client.ts'
import { until } from '../support/until.ts'

/** A process's own handles, so that a test can cut it off or hold what it sends. */
export interface Handles {
  env: StoreEnv & { log: MemoryLog; store: MemoryStore }
}

const internal = { host: '127.0.0.1', port: 0 }

/**
 * A whole cluster in one process, on the memory log and store, with the production modules. Short intervals, so that
 * failures are found quickly; everything a test waits for is a condition, never a time.
 */
export class InProcessCluster implements AsyncDisposable {
  readonly logData = new MemoryLogData()
  /** How far the store's own clock is ahead of the right time, ms. */
  storeAheadMs = 0
  readonly storeData = new MemoryStoreData(() => Date.now() + this.storeAheadMs)
  readonly config: Config
  readonly store: MemoryStore
  readonly #stops: (() => void)[] = []

  constructor(flags: Record<string, string> = {}) {
    const { config } = loadConfig({
      env: {},
      cwd: import.meta.dirname,
      dev: true,
      flags: {
        'topics.slots': '4',
        'topics.inbox_partitions': '4',
        'client.insecure': 'true',
        'controller.death_time': '300ms',
        'controller.proxy_death_time': '1s',
        'worker.heartbeat_interval': '50ms',
        'proxy.heartbeat_interval': '100ms',
        'shutdown.jitter': '10ms',
        'shutdown.timeout': '2s',
        ...flags,
      },
    })
    this.config = config
    this.store = memoryStore(this.storeData)
  }

  handles(logHooks: MemoryLogHooks = {}, storeHooks: MemoryStoreHooks = {}): Handles {
    const log = new MemoryLog(this.logData, logHooks)
    this.#stops.push(() => void log.close())
    return {
      env: {
        clock: systemClock,
        random: systemRandom,
        log,
        store: memoryStore(this.storeData, storeHooks),
        logger: pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' }),
        metrics: createMetrics(),
      },
    }
  }

  async controller(handles = this.handles()): Promise<Controller> {
    await handles.env.store.migrate()
    const controller = new Controller(handles.env, {
      config: this.config,
      version: '0',
      pid: 1,
      internal,
      ended: (error) => {
        throw error
      },
    })
    await controller.start()
    this.#stops.push(() => controller.kill())
    return controller
  }

  async worker(
    options: { version?: string; app?: App; handles?: Handles; ended?: (why: string) => void } = {},
  ): Promise<Worker> {
    const { version = 'v1', app = chat, handles = this.handles(), ended = () => {} } = options
    await handles.env.store.migrate()
    const worker = new Worker(handles.env, { config: this.config, app, version, pid: 1, internal, ended })
    await worker.start()
    this.#stops.push(() => worker.kill())
    return worker
  }

  async proxy(options: { handles?: Handles; files?: number; ended?: (why: string) => void } = {}): Promise<Proxy> {
    const { handles = this.handles(), files = Infinity, ended = () => {} } = options
    const proxy = new Proxy(handles.env, {
      config: this.config,
      calls: chat.calls,
      version: '0',
      pid: 1,
      internal,
      files,
      ended,
    })
    await proxy.start()
    this.#stops.push(() => proxy.kill())
    return proxy
  }

  /** A connected client. */
  async client(proxy: Proxy): Promise<Client> {
    const client = new Client(proxy)
    await client.command({ connect: {} })
    return client
  }

  /** Waits until every slot has an owner, optionally one of those named. */
  async owned(by?: Worker[]): Promise<void> {
    const ids = by?.map(({ id }) => id)
    await until('every slot is owned', async () => {
      const leases = await this.store.leases()
      return leases.length > 0 && leases.every(({ owner }) => owner !== null && (ids?.includes(owner) ?? true))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops.toReversed()) stop()
    await this.store.close()
  }
}
