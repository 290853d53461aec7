import { areFaultsOn, logUrl, storeUrl } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import { collectProcessMetrics, createMetrics } from '../observability/metrics.ts'
import type { Metrics } from '../observability/metrics.ts'
import { systemClock } from '../platform/clock.ts'
import { startInternalListener } from '../platform/internal-listener.ts'
import type { InternalListener } from '../platform/internal-listener.ts'
import { systemRandom } from '../platform/random.ts'
import type { Env, StoreEnv } from './env.ts'
import { Faults } from './faults/faults.ts'
import { kafkaEvents } from './kafka-events.ts'
import { mysqlEvents } from './mysql-events.ts'
import { openLog } from './open-log.ts'
import { openStore } from './open-store.ts'
import type { Shell } from './process.ts'
import { untilAnswered } from './until-answered.ts'

/** What a process of the cluster stands on before its own work begins. */
export interface Ground<E extends Env> {
  env: E
  /** Where operators reach it. */
  internal: InternalListener
  /** The last thing before the process ends. */
  close(): Promise<void>
}

/** What a role says of itself before it runs. */
export interface GroundOptions {
  /** True while the role should get work, or why not; asked once the start waits for no service any more. */
  ready: () => true | string
  /** How long appends may wait, under load, to go into the log together, ms. */
  gatherMs?: number
}

/** Listens for operators: liveness, whether the process is ready, its metrics. Throws EADDRINUSE. */
export function serveOperators(
  config: Config,
  { registry }: Metrics,
  ready: () => true | string,
): Promise<InternalListener> {
  collectProcessMetrics(registry)
  return startInternalListener({
    host: config.http_server.internal_address,
    port: config.http_server.internal_port,
    advertised: config.http_server.advertise_address,
    registry,
    ready,
  })
}

/** Opens the log, and the internal listener. Throws what openLog does, and EADDRINUSE. */
export async function openGround(config: Config, shell: Shell, options: GroundOptions): Promise<Ground<Env>> {
  const { logger, services } = shell
  const metrics = createMetrics()
  const log = await openLog(logUrl(config), {
    events: kafkaEvents(metrics, services.outages('log', logUrl(config))),
    ...(options.gatherMs !== undefined && { gatherMs: options.gatherMs }),
  })
  const internal = await serveOperators(config, metrics, () => services.waitsFor ?? options.ready())
  const faults = new Faults({
    clock: systemClock,
    logger,
    metrics,
    isEnabled: areFaultsOn(config),
    names: config.channel,
    kill: () => void process.kill(process.pid, 'SIGKILL'),
  })
  return {
    env: { clock: systemClock, random: systemRandom, log, logger, metrics, faults },
    internal,
    async close() {
      faults.stop()
      await internal.close()
      await log.close()
    },
  }
}

/** The same, and the store, once it answers and its tables are up to date. */
export async function openStoreGround(config: Config, shell: Shell, options: GroundOptions): Promise<Ground<StoreEnv>> {
  const { services } = shell
  const ground = await openGround(config, shell, options)
  const events = mysqlEvents(ground.env.metrics, services.outages('store', storeUrl(config)))
  const store = await openStore(storeUrl(config), events)
  const migrate = () => store.migrate()
  await services.needed(['store'], () => untilAnswered(ground.env, migrate, () => false))
  return {
    ...ground,
    env: { ...ground.env, store },
    async close() {
      await ground.close()
      await store.close()
    },
  }
}
