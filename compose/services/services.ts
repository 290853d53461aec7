import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { askKafka, askMysql, untilAnswered } from './answers.ts'
import { isRunning, stopDaemon } from './daemon.ts'
import { makeDatabase } from './database.ts'
import { findDocker, startInDocker, stopInDocker } from './docker.ts'
import { ServiceError, reasonOf } from './errors.ts'
import { localKafka, localMariadb } from './local.ts'
import { withLock } from './lock.ts'
import { namedServices } from './named.ts'
import type { Say } from './programs.ts'
import { StateFile, logUrl, storeAdminUrl, storeUrl, type ServiceName } from './state.ts'

export interface ServicesOptions {
  /** What is started keeps its data below it, in `services`. */
  dataDir: string
  env: Record<string, string | undefined>
  /** Gets one line for each thing that takes time. */
  say: Say
}

/** Services that answer. */
export interface Services {
  /** `kafka://…` */
  log: string
  /** `mysql://…`, of a user who may do on its database what Holdfast does, and nothing elsewhere. */
  store: string
  /** `mysql://…`, of a user who may make databases and users; what the environment names has to do as it is. */
  storeAdmin: string
  /** True when this call started one; otherwise all were there. */
  started: boolean
  /** Processes of this machine that this or an earlier call started; null for what runs elsewhere. */
  pids: Record<ServiceName, number | null>
}

/** A service that runs already answers within this, or it is stuck. */
export const foundDeadlineMs = 60_000

/**
 * Kafka and MySQL that answer: what the environment names, what an earlier call started, else started now, in Docker or
 * from local packages. Rejects with a ServiceError that says in one line what cannot be had.
 */
export async function servicesUp({ dataDir, env, say }: ServicesOptions): Promise<Services> {
  const { log, store } = await namedServices(env, say)
  const wanted: ServiceName[] = []
  if (log === undefined) wanted.push('kafka')
  if (store === undefined) wanted.push('mysql')
  if (wanted.length === 0)
    return { log: log!, store: store!, storeAdmin: store!, started: false, pids: { kafka: null, mysql: null } }
  return locked(dataDir, say, async (file) => {
    const missing = await missingOf(wanted, file, say)
    await startServices(missing, file, say)
    const { kafka, mysql } = file.state
    if (store === undefined) await makeDatabase(storeAdminUrl(mysql!), mysql!.owner)
    return {
      log: log ?? logUrl(kafka!),
      store: store ?? storeUrl(mysql!),
      storeAdmin: store ?? storeAdminUrl(mysql!),
      started: missing.length > 0,
      pids: {
        kafka: (log === undefined ? kafka?.daemon?.pid : null) ?? null,
        mysql: (store === undefined ? mysql?.daemon?.pid : null) ?? null,
      },
    }
  })
}

/** Stops what `servicesUp` started for a data directory and waits until it is gone. Data stays. */
export async function servicesDown({ dataDir, say }: Pick<ServicesOptions, 'dataDir' | 'say'>): Promise<void> {
  if (!existsSync(directoryOf(dataDir))) return say('nothing to stop')
  await locked(dataDir, say, async (file) => {
    const stopped = await settle([stopService('kafka', file, say), stopService('mysql', file, say)])
    if (!stopped.includes(true)) say('nothing to stop')
  })
}

const directoryOf = (dataDir: string): string => join(resolve(dataDir), 'services')

/** Works on the state of a data directory, alone. */
function locked<T>(dataDir: string, say: Say, work: (file: StateFile) => Promise<T>): Promise<T> {
  const directory = directoryOf(dataDir)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return withLock(join(directory, 'lock'), say, () => work(StateFile.open(directory)))
}

/** Those of the wanted services that do not run yet. A process that runs must answer. */
async function missingOf(wanted: ServiceName[], { state }: StateFile, say: Say): Promise<ServiceName[]> {
  const asks = {
    kafka: () => askKafka(`127.0.0.1:${state.kafka!.port}`),
    mysql: () => askMysql(storeAdminUrl(state.mysql!)),
  }
  const missing: ServiceName[] = []
  for (const name of wanted) {
    const { daemon, project } = state[name] ?? {}
    if (daemon !== undefined && (await isRunning(daemon))) {
      await untilAnswered(`${name} (process ${daemon.pid}, services:down stops it)`, asks[name], foundDeadlineMs)
      say(`${name} runs already, as process ${daemon.pid}`)
    } else if (project !== undefined && (await answers(asks[name]))) {
      say(`${name} runs already, in Docker compose's project ${project}`)
    } else missing.push(name)
  }
  return missing
}

async function answers(ask: () => Promise<void>): Promise<boolean> {
  try {
    await ask()
    return true
  } catch {
    return false
  }
}

async function startServices(missing: ServiceName[], file: StateFile, say: Say): Promise<void> {
  if (missing.length === 0) return
  const docker = await findDocker()
  if (docker !== undefined) return startInDocker(docker, missing, file, say)
  // Everything is there before anything is started.
  const prepared = await settle(
    missing.map((name) => (name === 'kafka' ? localKafka(file, say) : localMariadb(file, say))),
  )
  await settle(prepared.map((service) => service.start()))
}

/** Waits for all, and rejects with what all the failed ones say. */
async function settle<T>(attempts: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(attempts)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
  if (failures.length > 0) throw new ServiceError(failures.map(reasonOf).join('; '), { cause: failures[0] })
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

/** False when it did not run. */
async function stopService(name: ServiceName, file: StateFile, say: Say): Promise<boolean> {
  const { daemon, project, ...rest } = file.state[name] ?? {}
  if (daemon !== undefined && (await stopDaemon(daemon))) say(`stopped ${name}, process ${daemon.pid}`)
  else if (project !== undefined) {
    const docker = await findDocker()
    if (docker === undefined) throw new ServiceError(`${name} runs in project ${project}, but Docker does not answer`)
    await stopInDocker(docker, name, file)
    say(`stopped ${name}, in Docker compose's project ${project}`)
  } else return false
  file.keep({ [name]: rest })
  return true
}
