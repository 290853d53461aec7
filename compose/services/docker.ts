import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askKafka, askMysql, untilAnswered } from './answers.ts'
import { freePort } from './free-port.ts'
import { newPassword } from './mysql-url.ts'
import { findProgram, installDeadlineMs, run, type Say } from './programs.ts'
import { newOwner, storeAdminUrl, type KafkaState, type MysqlState, type ServiceName, type StateFile } from './state.ts'

/** The services `kafka` and `mysql` of this file are used. */
const composeFile = fileURLToPath(new URL('../compose.yaml', import.meta.url))

/** Asking the engine whether it runs takes this long at most. */
export const askDeadlineMs = 10_000

/** Containers that are healthy answer within this. */
export const healthyDeadlineMs = 60_000

/** Stopping containers takes this long at most. */
export const stopDeadlineMs = 60_000

/** The path of `docker` where an engine runs and compose is there, else undefined. */
export async function findDocker(): Promise<string | undefined> {
  const docker = findProgram('docker')
  if (docker === undefined) return undefined
  try {
    await run(docker, ['info'], askDeadlineMs)
    await run(docker, ['compose', 'version'], askDeadlineMs)
    return docker
  } catch {
    return undefined
  }
}

/** Starts services with Docker compose, published on free ports of 127.0.0.1, and waits until they answer. */
export async function startInDocker(docker: string, names: ServiceName[], file: StateFile, say: Say): Promise<void> {
  const project = projectOf(file)
  const kafka: KafkaState = {
    port: await freePort(file.state.kafka?.port),
    controllerPort: await freePort(file.state.kafka?.controllerPort),
    project,
  }
  const mysql: MysqlState = {
    port: await freePort(file.state.mysql?.port),
    admin: file.state.mysql?.admin ?? { user: 'root', password: newPassword() },
    owner: file.state.mysql?.owner ?? newOwner(),
    project,
  }
  file.keep({ ...(names.includes('kafka') ? { kafka } : {}), ...(names.includes('mysql') ? { mysql } : {}) })
  await writeFile(overridePath(file), override(kafka, mysql), { mode: 0o600 })
  say(`starting ${names.join(' and ')} with Docker compose, project ${project}`)
  await compose(docker, file, ['up', '--detach', '--wait', '--no-deps', ...names], installDeadlineMs)
  const asks = {
    kafka: () => askKafka(`127.0.0.1:${kafka.port}`),
    mysql: () => askMysql(storeAdminUrl(mysql)),
  }
  for (const name of names) await untilAnswered(`${name} in Docker`, asks[name], healthyDeadlineMs)
}

/** Removes the container of a service. Its volume stays. */
export async function stopInDocker(docker: string, name: ServiceName, file: StateFile): Promise<void> {
  await compose(docker, file, ['rm', '--stop', '--force', name], stopDeadlineMs)
}

function compose(docker: string, file: StateFile, args: string[], deadlineMs: number): Promise<string> {
  const files = ['-f', composeFile, '-f', overridePath(file)]
  return run(docker, ['compose', '-p', projectOf(file), ...files, ...args], deadlineMs)
}

/** One project for each directory of services. */
function projectOf({ directory }: StateFile): string {
  return `holdfast-${createHash('sha256').update(directory).digest('hex').slice(0, 8)}`
}

const overridePath = ({ directory }: StateFile): string => join(directory, 'compose.override.yaml')

/**
 * What differs from the whole of Holdfast in Docker: clients outside of the containers come in through ports of
 * 127.0.0.1, which a network that is cut off has not, and passwords come from here.
 */
function override(kafka: KafkaState, mysql: MysqlState): string {
  return `services:
  kafka:
    networks: !override [default]
    ports: !override ['127.0.0.1:${kafka.port}:${kafka.port}']
    environment:
      KAFKA_LISTENERS: PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093,HOST://:${kafka.port}
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://localhost:9092,HOST://127.0.0.1:${kafka.port}
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT
  mysql:
    networks: !override [default]
    ports: !override ['127.0.0.1:${mysql.port}:3306']
    volumes: !override ['mysql-data:/var/lib/mysql']
    environment:
      MYSQL_ROOT_PASSWORD_FILE: !reset null
      MYSQL_ROOT_PASSWORD: ${mysql.admin.password}
`
}
