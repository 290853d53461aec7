/** The production modules of a cluster, put together from an environment and a configuration for every kind of it. */
import { chat } from '../../apps/chat/chat.ts'
import type { Env, StoreEnv } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import { Controller } from '../../controller/controller.ts'
import type { OpenWire } from '../../platform/alive.ts'
import type { App } from '../../protocol/app/contract.ts'
import type { Address } from '../../protocol/records/heartbeat.ts'
import { Proxy } from '../../proxy/proxy.ts'
import { Worker } from '../../worker/worker.ts'

/** They share a process that nobody looks at from outside. */
const place = { pid: 1, internal: { host: '127.0.0.1', port: 0 } }

/** It is told of nobody's end, and goes by silence. */
const noWire: OpenWire = () => ({ close() {} })

export interface ControllerOptions {
  version?: string
  openWire?: OpenWire
  ended: (error: unknown) => void
}

/** A controller that has not started. */
export function buildController(env: StoreEnv, config: Config, options: ControllerOptions): Controller {
  return new Controller(env, { ...place, config, version: '0', openWire: noWire, ...options })
}

export interface WorkerOptions {
  version?: string
  internal?: Address
  ended?: (why: 'drained' | 'broken') => void
}

/** A worker that has not started. */
export function buildWorker(env: StoreEnv, config: Config, options: WorkerOptions = {}): Worker {
  return new Worker(env, { ...place, config, version: 'v1', ended: () => {}, ...options })
}

/** Resolves when it serves; the chat, unless it is given another app. */
export async function startWorker(worker: Worker, app: App = chat): Promise<void> {
  await worker.join()
  worker.serve(app)
}

export interface ProxyOptions {
  version?: string
  /** How many it may have open. */
  files?: number
  ended?: (why: string) => void
}

/** A proxy that has not started. It gets no store, whatever else `env` holds. */
export function buildProxy(env: Env, config: Config, options: ProxyOptions = {}): Proxy {
  const { clock, random, log, logger, metrics, faults } = env
  return new Proxy(
    { clock, random, log, logger, metrics, faults },
    { ...place, config, calls: chat.calls, version: '0', files: Infinity, ended: () => {}, ...options },
  )
}
