import { resolve } from 'node:path'
import { openStoreGround } from '../cluster/ground.ts'
import { runProcess } from '../cluster/process.ts'
import type { Config } from '../config/config.ts'
import { openWire } from '../platform/alive.ts'
import { packageVersion } from '../platform/package-version.ts'
import { buildApi } from './api/api.ts'
import { Controller } from './controller.ts'

/** The controller process: what it stands on, the API, the life cycle. */
export async function runController(config: Config): Promise<void> {
  await runProcess('controller', config, async (shell) => {
    let controller: Controller | null = null
    const { env, internal, close } = await openStoreGround(config, shell, {
      ready: () => (controller ? true : 'starting'),
    })
    const ended = (error: unknown) => shell.crash(error, 'controller cannot go on')
    controller = new Controller(env, {
      config,
      version: packageVersion,
      pid: process.pid,
      internal,
      openWire,
      ended,
    })
    const api = buildApi(controller, env, {
      tokens: { write: config.controller.token, read: config.controller.read_token },
      hosts: namesOf(config),
      workersWanted: config.dev.active ? config.dev.workers : 1,
      supervisor: config.dev.active ? resolve(config.data_dir) : null,
    })
    await shell.services.needed(['log', 'store'], () => controller.start())
    await api.listen({ host: config.controller.address, port: config.controller.port })
    shell.logger.info({ id: controller.id, port: config.controller.port }, 'controller is up')
    return {
      async stop() {
        await controller.stop()
        await api.close()
        await close()
      },
    }
  })
}

/** Names by which the configuration calls this controller. */
function namesOf({ controller, http_server }: Config): string[] {
  return [controller.address, http_server.advertise_address, ...controller.allowed_hosts].filter((name) => name !== '')
}
