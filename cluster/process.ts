import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { authority } from '../platform/addresses.ts'
import { exitCodes, fatal, signalExitCode } from '../platform/exit-codes.ts'
import type { ExitCode } from '../platform/exit-codes.ts'
import { createLogger } from '../platform/logger.ts'
import { resolvedConfigVariable } from '../platform/resolved-config.ts'
import { onStopSignals } from '../platform/signals.ts'
import { forAPerson } from './for-a-person.ts'
import { Services, waitSaidMs } from './services.ts'

/** What a process runs in. */
export interface Shell {
  logger: Logger
  services: Services
  /** Ends the process at once with one clear line; before the process is ready, a supervisor does not try again. */
  fatal(code: ExitCode, message: string): never
  /** Ends the process at once, with the error in its log: it cannot go on, and may be started again. */
  crash(error: unknown, what: string): never
  /** Stops in order, as SIGTERM does, and exits with 0. For a process that has nothing left to do. */
  stop(reason: string): void
}

/** A process that runs. */
export interface Running {
  /** Stops in order. Has `shutdown.timeout` to do so. */
  stop(): Promise<void>
}

type ProcessConfig = Pick<Config, 'shutdown' | 'log_level'> & { dev: Pick<Config['dev'], 'active'> }

/**
 * What a process tells its supervisor over IPC: what its start waits for, once that it serves, and that a signal told it
 * to stop, which it does when the supervisor says so.
 */
export type LifeMessage = { type: 'waiting'; for: string } | { type: 'ready' } | { type: 'signalled' }

/** What a supervisor answers to `signalled`, at once or when it is the process's turn. */
export interface StopMessage {
  type: 'stop'
}

/**
 * The life of a long-lived process around its work: logger, signals, errors that nobody caught. `start` does
 * the work's beginning and returns what stops it. Resolves once the process runs and said so to its supervisor.
 *
 * SIGTERM stops in order, a second one at once. Under a supervisor SIGINT and SIGHUP are ignored, and SIGTERM waits for
 * its word: any of them may have come to the whole process group, whose members have to stop one after the other.
 */
export async function runProcess(
  name: string,
  config: ProcessConfig,
  start: (shell: Shell) => Promise<Running>,
): Promise<void> {
  const logger = createLogger({ name, level: config.log_level, pretty: config.dev.active || process.stderr.isTTY })
  const supervised = process.env[resolvedConfigVariable] !== undefined
  let running: Running | undefined
  let stopping = false

  const crash = (error: unknown, what: string): never => {
    logger.fatal({ err: error }, what)
    process.exit(exitCodes.failure)
  }
  process.on('uncaughtException', (error) => crash(error, 'an error that nobody caught'))
  process.on('unhandledRejection', (error) => crash(error, 'a rejection that nobody handled'))

  const stop = (reason: string): void => {
    if (stopping) return
    stopping = true
    // Nothing to put in order yet.
    if (!running) process.exit(exitCodes.ok)
    logger.info({ reason }, 'stopping')
    setTimeout(
      () => crash(new Error(`not stopped after ${config.shutdown.timeout} ms`), 'giving up'),
      config.shutdown.timeout,
    )
    running.stop().then(
      () => process.exit(exitCodes.ok),
      (error: unknown) => crash(error, 'could not stop in order'),
    )
  }
  if (supervised) for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  onStopSignals(
    supervised ? ['SIGTERM'] : ['SIGTERM', 'SIGINT', 'SIGHUP'],
    (signal) => (supervised && process.connected ? whenSupervisorSays(() => stop(signal)) : stop(signal)),
    (signal) => process.exit(signalExitCode[signal as keyof typeof signalExitCode]),
  )

  const services = new Services(logger)
  const saying = sayWaits(services, (what, isFirst) => {
    // A supervisor says it for all of its children.
    if (supervised) process.send?.({ type: 'waiting', for: what } satisfies LifeMessage)
    if (isFirst ? !services.isSaid : !supervised) logger.warn(`not ready: waits for ${what}`)
  })
  try {
    running = await start({ logger, services, stop, crash, fatal: (code, message) => fatal(name, code, message) })
  } catch (error) {
    const advice = forAPerson(error)
    if (advice !== null) fatal(name, exitCodes.badConfig, advice)
    if (isAddressInUse(error)) fatal(name, exitCodes.portInUse, `${authority(error.address, error.port)} is in use`)
    crash(error, 'could not start')
  }
  clearInterval(saying)
  process.send?.({ type: 'ready' } satisfies LifeMessage)
}

/** The answer comes at once to a process that was told alone. Without a supervisor it would end anyway (the lifeline). */
function whenSupervisorSays(stop: () => void): void {
  process.on('message', (message) => {
    if ((message as StopMessage | null)?.type === 'stop') stop()
  })
  process.send?.({ type: 'signalled' } satisfies LifeMessage)
}

/** Says what a start waits for, until the interval that it returns is cleared. */
function sayWaits(services: Services, say: (what: string, isFirst: boolean) => void): NodeJS.Timeout {
  let sayAt = performance.now() + waitSaidMs.first
  let isFirst = true
  return setInterval(() => {
    const what = services.waitsFor
    if (what === null || performance.now() < sayAt) return
    say(what, isFirst)
    isFirst = false
    sayAt += waitSaidMs.every
  }, waitSaidMs.first)
}

type AddressInUse = NodeJS.ErrnoException & { address: string; port: number }

function isAddressInUse(error: unknown): error is AddressInUse {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
}
