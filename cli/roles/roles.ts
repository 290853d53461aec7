import type { Config } from '../../config/config.ts'
import { exitCodes, fatal } from '../../platform/exit-codes.ts'
import type { App } from '../../protocol/app/contract.ts'

/** Every long-lived process. Each loads no more than it needs. */
const roles: Record<string, (config: Config) => Promise<void>> = {
  engine: async (config) => (await import('./engine.ts')).runEngineProcess(config),
  proxy: async (config) => {
    const { runProxy } = await import('../../proxy/main.ts')
    await runProxy(config, {
      load: () => app(config),
      page: async () => (await import('../../apps/chat/page/plugin.ts')).page,
    })
  },
  worker: async (config) => (await import('../../worker/main.ts')).runWorker(config, () => app(config)),
  controller: async (config) => (await import('../../controller/main.ts')).runController(config),
}

/** Proxies need to know what clients may call, workers what it does. */
async function app(config: Config): Promise<App> {
  const { loadApp } = await import('../../apps/load.ts')
  return loadApp(config.worker.app)
}

/** What a process can be. */
export type Role = 'engine' | 'proxy' | 'worker' | 'controller'

/** Runs a role in this process; resolves once it serves. */
export async function runRole(role: string, config: Config): Promise<void> {
  const run = roles[role]
  if (!run) fatal('holdfast', exitCodes.unusable, `no such role: ${role}`)
  await run(config)
}
