import { Announcer } from '../../cluster/announcer.ts'
import { serveOperators } from '../../cluster/ground.ts'
import { openLog } from '../../cluster/open-log.ts'
import { runProcess } from '../../cluster/process.ts'
import type { Shell } from '../../cluster/process.ts'
import { engineDirectory, logUrl } from '../../config/config.ts'
import type { Config } from '../../config/config.ts'
import { EngineStartError, runEngine, type RunningEngine } from '../../engine/server/engine.ts'
import { createMetrics, type Metrics } from '../../observability/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import type { ExitCode } from '../../platform/exit-codes.ts'
import { packageVersion } from '../../platform/package-version.ts'
import { systemRandom } from '../../platform/random.ts'

/** The engine as a process: it owns the files of the embedded log and store. */
export async function runEngineProcess(config: Config): Promise<void> {
  await runProcess('engine', config, async (shell) => {
    const dataDir = engineDirectory(config)
    if (dataDir === undefined)
      return shell.fatal(
        exitCodes.badConfig,
        'an engine is only needed when the log or the store is embedded:DIRECTORY',
      )
    const metrics = createMetrics()
    try {
      const engine = await runEngine({
        dataDir,
        sync: config.engine.sync,
        logger: shell.logger,
        onFatal: (error) => shell.fatal(exitCodes.failure, error.message),
        onDisk(isFull) {
          metrics.engineDiskFull.set(isFull ? 1 : 0)
          if (isFull) metrics.engineDiskOutages.inc()
        },
      })
      const leave = await beFound(engine, config, metrics, shell)
      return {
        async stop() {
          await leave()
          await engine.stop()
        },
      }
    } catch (error) {
      if (error instanceof EngineStartError) shell.fatal(startCode(error), error.message)
      throw error
    }
  })
}

/** Serves health and metrics, and announces where, as every process does. Returns what ends both. */
async function beFound(
  engine: RunningEngine,
  config: Config,
  metrics: Metrics,
  { logger }: Shell,
): Promise<() => Promise<void>> {
  const measure = (): void => metrics.engineDiskFree.set(engine.disk.freeBytes)
  measure()
  const measuring = systemClock.every(announceMs, measure)
  const internal = await serveOperators(config, metrics, () => engine.ready)
  const log = await openLog(logUrl(config))
  const id = `e-${systemRandom.hex(6)}`
  const env = { clock: systemClock, random: systemRandom, log, logger, metrics }
  const announcer = new Announcer(env, id, (beat) => ({
    type: 'heartbeat',
    role: 'engine',
    id,
    pid: process.pid,
    version: packageVersion,
    internal,
    beat,
  }))
  announcer.start(announceMs)
  return async () => {
    measuring.cancel()
    announcer.stop()
    await Promise.all([log.close(), internal.close()])
  }
}

/**
 * The engine is announced to be found, not to be watched: whoever needs it is connected to it. The disk is measured as
 * often.
 */
const announceMs = 3_000

function startCode({ code }: EngineStartError): ExitCode {
  if (code === 'damaged') return exitCodes.damagedData
  if (code === 'misplaced') return exitCodes.badConfig
  return code === 'in_use' ? exitCodes.portInUse : exitCodes.unusable
}
