import type { Config } from '../config/config.ts'
import { logUrl, storeUrl } from '../config/config.ts'
import { openLog } from '../cluster/open-log.ts'
import { kafkaEvents } from '../cluster/kafka-events.ts'
import { collectProcessMetrics, createMetrics } from '../observability/metrics.ts'
import { mysqlEvents } from '../cluster/mysql-events.ts'
import { systemClock } from '../platform/clock.ts'
import { startInternalListener } from '../platform/internal-listener.ts'
import { packageVersion } from '../platform/package-version.ts'
import { runProcess } from '../cluster/process.ts'
import { systemRandom } from '../platform/random.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import { openStore } from '../cluster/open-store.ts'
import { buildApi } from './api/api.ts'
import { Controller } from './controller.ts'

/** The controller process: the log, the store, the API and internal listeners, the life cycle. */
export async function runController(config: Config): Promise<void> {
  await runProcess('controller', config, async ({ logger, services }) => {
    const metrics = createMetrics()
    collectProcessMetrics(metrics.registry)
    const [log, store] = await Promise.all([
      openLog(logUrl(config), { events: kafkaEvents(metrics, services.outages('log', logUrl(config))) }),
      openStore(storeUrl(config), mysqlEvents(metrics, services.outages('store', storeUrl(config)))),
    ])
    const env = { clock: systemClock, random: systemRandom, log, store, logger, metrics }
    let controller: Controller | null = null
    const internal = await startInternalListener({
      host: config.http_server.internal_address,
      port: config.http_server.internal_port,
      advertised: config.http_server.advertise_address,
      registry: metrics.registry,
      ready: () => services.waitsFor ?? (controller ? true : 'starting'),
    })
    const ended = (error: unknown) => {
      logger.fatal({ err: error }, 'controller cannot go on')
      process.exit(1)
    }
    controller = new Controller(env, { config, version: packageVersion, pid: process.pid, internal, ended })
    const api = buildApi(controller, env, {
      token: config.controller.token,
      workersWanted: config.dev.active ? config.dev.workers : 1,
    })
    const migrate = () => store.migrate()
    await services.needed(['store'], () => untilAnswered(env, migrate, () => false))
    await services.needed(['log', 'store'], () => controller.start())
    await api.listen({ host: config.controller.address, port: config.controller.port })
    logger.info({ id: controller.id, port: config.controller.port }, 'controller is up')
    return {
      async stop() {
        await controller.stop()
        await Promise.all([api.close(), internal.close()])
        await Promise.all([log.close(), store.close()])
      },
    }
  })
}
