import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../../config/config.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { withSecret } from '../../config/secrets.ts'
import { authority } from '../../platform/addresses.ts'
import { exitCodes, fatal } from '../../platform/exit-codes.ts'
import { createLogger } from '../../platform/logger.ts'
import { ControllerClient, reachableUrl } from '../client/client.ts'
import { ControllerError } from '../client/errors.ts'
import { clusterGroups, workerGroup } from '../dev/cluster.ts'
import { tryPort } from '../dev/free-port.ts'
import { ReleaseWorkers } from '../dev/release-workers.ts'
import type { SeenCluster } from '../dev/release-workers.ts'
import { Supervisor } from '../dev/supervisor.ts'
import type { Release } from '../releases/release.ts'
import { Releases } from '../releases/releases.ts'

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
  const config = (['controllerToken', 'controllerReadToken', 'clientSecret'] as const).reduce(withSecret, withPort)
  const logger = createLogger({ name: 'supervisor', level: config.log_level, pretty: true })
  for (const warning of warnings) logger.warn(warning)

  const releases = new Releases(config.data_dir)
  const first = firstRelease(releases, config, logger)
  const workers = first.workers ?? config.dev.workers
  const supervisor = new Supervisor({
    groups: clusterGroups({ ...config, dev: { ...config.dev, workers } }, process.env),
    stopTimeoutMs: config.shutdown.timeout,
    logger,
    exit: (code) => process.exit(code),
  })
  const client = new ControllerClient(config)
  new ReleaseWorkers({
    releases,
    first,
    crew: supervisor,
    groupOf: (release) => {
      const serves = () => releases.current?.version === release.version
      return workerGroup(release, { content: releases.contentOf(release), serves }, config, process.env)
    },
    look: () => lookAt(client),
    logger,
  }).start()
  await supervisor.start()
  await clusterReady(config, client, logger)
}

/** The app of the configuration is a release like others, and the first one. */
function firstRelease(releases: Releases, { worker }: Config, logger: Logger): Release {
  releases.tidy()
  const configured = releases.keepConfigured({ version: worker.version, app: worker.app }, new Date())
  if (configured.kind !== 'configured') logger.warn(`worker.version is ${worker.version}, and so is a deployed release`)
  return releases.first(configured)
}

/** What the controller wants; null while none leads, or one that does not know of versions. */
async function lookAt(client: ControllerClient): Promise<SeenCluster | null> {
  try {
    const { leader, serving } = await client.status()
    return leader ? { serving, versions: await client.versions() } : null
  } catch (error) {
    if (error instanceof ControllerError) return null
    throw error
  }
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
async function clusterReady(config: Config, client: ControllerClient, logger: Logger): Promise<void> {
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
  const chat = reachableUrl(config.http_server.address, config.http_server.port)
  const console_ = reachableUrl(config.controller.address, config.controller.port)
  process.stdout.write(`holdfast is ready  chat ${chat}  console ${console_}\n`)
}
