import type { Config } from '../config/config.ts'
import { logUrl, storeUrl } from '../config/config.ts'
import { openLog } from '../cluster/open-log.ts'
import { kafkaEvents } from '../cluster/kafka-events.ts'
import { collectProcessMetrics, createMetrics } from '../observability/metrics.ts'
import { mysqlEvents } from '../cluster/mysql-events.ts'
import { systemClock } from '../platform/clock.ts'
import { startInternalListener } from '../platform/internal-listener.ts'
import { runProcess } from '../cluster/process.ts'
import { systemRandom } from '../platform/random.ts'
import { untilAnswered } from '../cluster/until-answered.ts'
import type { App } from '../protocol/app/contract.ts'
import { openStore } from '../cluster/open-store.ts'
import { Worker } from './worker.ts'

/** The worker process: the log, the store, the app, the internal listener, the life cycle. `load` gets the app. */
export async function runWorker(config: Config, load: () => Promise<App>): Promise<void> {
  await runProcess('worker', config, async ({ logger, services, stop }) => {
    const metrics = createMetrics()
    collectProcessMetrics(metrics.registry)
    const [app, log, store] = await Promise.all([
      load(),
      openLog(logUrl(config), { events: kafkaEvents(metrics, services.outages('log', logUrl(config))) }),
      openStore(storeUrl(config), mysqlEvents(metrics, services.outages('store', storeUrl(config)))),
    ])
    const env = { clock: systemClock, random: systemRandom, log, store, logger, metrics }
    let worker: Worker | null = null
    const internal = await startInternalListener({
      host: config.http_server.internal_address,
      port: config.http_server.internal_port,
      advertised: config.http_server.advertise_address,
      registry: metrics.registry,
      ready: () => services.waitsFor ?? worker?.ready ?? 'starting',
    })
    const ended = (why: 'drained' | 'broken') => (why === 'drained' ? stop(why) : process.exit(1))
    worker = new Worker(env, { config, app, version: config.worker.version, pid: process.pid, internal, ended })
    const migrate = () => store.migrate()
    await services.needed(['store'], () => untilAnswered(env, migrate, () => false))
    await services.needed(['log'], () => worker.start())
    logger.info({ id: worker.id, version: config.worker.version }, 'worker is up')
    return {
      async stop() {
        await worker.drain(config.shutdown.timeout / 3)
        await internal.close()
        await Promise.all([log.close(), store.close()])
      },
    }
  })
}
