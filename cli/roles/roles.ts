import type { Config } from '../../config/config.ts'
import { exitCodes, fatal } from '../../platform/exit-codes.ts'

/** Every long-lived process. Each loads no more than it needs. */
const roles: Record<string, (config: Config) => Promise<void>> = {
  engine: async (config) => (await import('./engine.ts')).runEngineProcess(config),
  proxy: async (config) => (await import('../../proxy/main.ts')).runProxy(config),
  worker: async (config) => (await import('../../worker/main.ts')).runWorker(config),
  controller: async (config) => (await import('../../controller/main.ts')).runController(config),
}

export type Role = 'engine' | 'proxy' | 'worker' | 'controller'

/** Runs a role in this process; resolves once it serves. */
export async function runRole(role: string, config: Config): Promise<void> {
  const run = roles[role]
  if (!run) fatal('holdfast', exitCodes.unusable, `no such role: ${role}`)
  await run(config)
}
