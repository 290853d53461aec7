import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { withSecret } from '../../config/secrets.ts'
import { authority } from '../../platform/addresses.ts'
import { exitCodes, fatal } from '../../platform/exit-codes.ts'
import { createLogger } from '../../platform/logger.ts'
import { clusterGroups } from '../dev/cluster.ts'
import { tryPort } from '../dev/free-port.ts'
import { Supervisor } from '../dev/supervisor.ts'

/** Time between two questions to the controller whether the cluster is ready. */
export const readyPollMs = 50
/** How often it is said what a cluster that is not ready waits for. */
export const readySaidMs = 10_000
/** Time that a port may stay in use: the processes of a cluster that was just killed need a moment to end. */
export const portWaitMs = 1_000
const portPollMs = 50

/** Runs a whole cluster as processes of this machine until a signal stops it. */
export async function dev({ config: given, warnings }: LoadedConfig): Promise<void> {
  const withPort = await takePorts(given)
  const config = withSecret(withSecret(withPort, 'controllerToken'), 'clientSecret')
  const logger = createLogger({ name: 'supervisor', level: config.log_level, pretty: true })
  for (const warning of warnings) logger.warn(warning)

  const supervisor = new Supervisor({
    groups: clusterGroups(config, process.env),
    stopTimeoutMs: config.shutdown.timeout,
    logger,
    exit: (code) => process.exit(code),
  })
  await supervisor.start()
  await clusterReady(config, logger)
}

/** Looks before anything starts, so that a port in use is one clear line. Another process may still be faster later. */
async function takePorts(config: Config): Promise<Config> {
  const { http_server, controller } = config
  await tryOrEnd(controller.address, controller.port, 'controller')
  const port = await tryOrEnd(http_server.address, http_server.port, 'http_server')
  return { ...config, http_server: { ...http_server, port } }
}

async function tryOrEnd(address: string, port: number, section: string): Promise<number> {
  const end = performance.now() + portWaitMs
  for (;;) {
    try {
      return await tryPort(address, port)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'EADDRINUSE') {
        fatal('holdfast', exitCodes.badConfig, `${section}.address and ${section}.port: ${message}`)
      }
      if (performance.now() > end) {
        const advice = `stop what uses it, or set ${section}.port (HOLDFAST_${section.toUpperCase()}_PORT)`
        fatal('holdfast', exitCodes.portInUse, `${authority(address, port)} is in use: ${advice}`)
      }
    }
    await sleep(portPollMs)
  }
}

/** Says that the cluster is ready once every slot is owned and the wanted workers live, and until then what is missing. */
async function clusterReady(config: Config, logger: Logger): Promise<void> {
  const { ControllerClient, reachableUrl } = await import('../client/client.ts')
  const { ControllerError } = await import('../client/errors.ts')
  const client = new ControllerClient(config)
  let sayAt = performance.now() + readySaidMs
  for (;;) {
    // A controller that is being restarted answers later.
    const status = await client.status().catch((error: unknown) => {
      if (error instanceof ControllerError) return undefined
      throw error
    })
    if (status?.ready) break
    if (performance.now() > sayAt) {
      sayAt += readySaidMs
      logger.warn(`not ready: waits for ${status?.waits_for ?? 'the controller, which does not answer'}`)
    }
    await sleep(readyPollMs)
  }
  await client.close()
  const chat = reachableUrl(config.http_server.address, config.http_server.port)
  const console_ = reachableUrl(config.controller.address, config.controller.port)
  process.stdout.write(`holdfast is ready  chat ${chat}  console ${console_}\n`)
}
