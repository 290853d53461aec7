/** A whole cluster in one process, on the memory log and store, with the production modules. */
import type { StoreEnv } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import type { Controller } from '../../controller/controller.ts'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import type { MemoryLogHooks } from '../../log/memory/memory-log.ts'
import type { OpenWire } from '../../platform/alive.ts'
import type { App } from '../../protocol/app/contract.ts'
import type { Proxy } from '../../proxy/proxy.ts'
import { MemoryStoreData, memoryStore } from '../../store/memory/memory-store.ts'
import type { MemoryStore, MemoryStoreHooks } from '../../store/memory/memory-store.ts'
import type { Worker } from '../../worker/worker.ts'
import { until } from '../support/until.ts'
import { Client } from './clients/client.ts'
import { testEnv } from './env.ts'
import { whyUnowned } from './owned.ts'
import { buildController, buildProxy, buildWorker, startWorker } from './roles.ts'
import type { ProxyOptions, WorkerOptions } from './roles.ts'
import { testConfig } from './settings.ts'

type MemoryEnv = StoreEnv & { log: MemoryLog; store: MemoryStore }

/** A process's own handles, so that a test can cut it off or hold what it sends. */
export interface Handles<E extends StoreEnv = MemoryEnv> {
  env: E
}

type WithHandles<Options> = Options & { handles?: Handles<StoreEnv> }

/** Controllers, workers and proxies, which a test starts as it needs them. */
export class InProcessCluster implements AsyncDisposable {
  readonly logData = new MemoryLogData()
  /** How far the store's own clock is ahead of the right time, ms. */
  storeAheadMs = 0
  readonly storeData = new MemoryStoreData(() => Date.now() + this.storeAheadMs)
  readonly config: Config
  readonly store: MemoryStore
  readonly #stops: (() => void)[] = []

  constructor(flags: Record<string, string> = {}) {
    this.config = testConfig(flags)
    this.store = memoryStore(this.storeData)
  }

  handles(logHooks: MemoryLogHooks = {}, storeHooks: MemoryStoreHooks = {}): Handles {
    const log = new MemoryLog(this.logData, logHooks)
    this.#stops.push(() => void log.close())
    return { env: testEnv({ log, store: memoryStore(this.storeData, storeHooks) }) }
  }

  /** Without `openWire` silence alone tells who is dead. */
  async controller(handles: Handles<StoreEnv> = this.handles(), openWire?: OpenWire): Promise<Controller> {
    await handles.env.store.migrate()
    const controller = buildController(handles.env, this.config, {
      ...(openWire && { openWire }),
      ended: (error) => {
        throw error
      },
    })
    await controller.start()
    this.#stops.push(() => controller.kill())
    return controller
  }

  /** Runs the chat, unless it is given another app. */
  async worker({
    handles = this.handles(),
    app,
    ...options
  }: WithHandles<WorkerOptions & { app?: App }> = {}): Promise<Worker> {
    await handles.env.store.migrate()
    const worker = buildWorker(handles.env, this.config, options)
    await startWorker(worker, app)
    this.#stops.push(() => worker.kill())
    return worker
  }

  async proxy({ handles = this.handles(), ...options }: WithHandles<ProxyOptions> = {}): Promise<Proxy> {
    const proxy = buildProxy(handles.env, this.config, options)
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
    const ids = by && new Set(by.map(({ id }) => id))
    await until('every slot is owned', async () => whyUnowned(await this.store.leases(), ids) === null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops.toReversed()) stop()
    await this.store.close()
  }
}
