import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DaemonId } from './daemon.ts'
import { ServiceError, reasonOf } from './errors.ts'
import { mysqlUrl, newPassword } from './mysql-url.ts'

/** What runs a service: a process of ours, or a project of Docker compose. Neither while it is stopped. */
export interface RunBy {
  daemon?: DaemonId
  project?: string
}

/** Ports of 127.0.0.1; they stay the same from start to start where they can. */
export interface KafkaState extends RunBy {
  port: number
  controllerPort: number
}

export interface MysqlState extends RunBy {
  port: number
  /** May make databases and users. */
  admin: { user: string; password: string }
  /** May do on its database what Holdfast does, and nothing elsewhere. */
  owner: { user: string; password: string; database: string }
}

/** The user and the database that services:up prints. */
export function newOwner(): MysqlState['owner'] {
  return { user: 'holdfast', password: newPassword(), database: 'holdfast' }
}

export interface State {
  kafka?: KafkaState
  mysql?: MysqlState
}

/** What is known of the services of one directory, in a file there. One process at a time writes it. */
export class StateFile {
  readonly directory: string
  readonly state: State

  private constructor(directory: string, state: State) {
    this.directory = directory
    this.state = state
  }

  /** Opens the state of a directory, making the directory where it is missing. */
  static open(directory: string): StateFile {
    const path = statePath(directory)
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      return new StateFile(directory, JSON.parse(readFileSync(path, 'utf8')) as State)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new StateFile(directory, {})
      throw new ServiceError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error })
    }
  }

  /** Keeps what `change` makes of the state, readable by its owner alone: it holds passwords. */
  keep(change: State): void {
    Object.assign(this.state, change)
    const path = statePath(this.directory)
    writeFileSync(`${path}.new`, `${JSON.stringify(this.state, undefined, 2)}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
}

const statePath = (directory: string): string => join(directory, 'state.json')

/** The URL of the log on a broker. */
export function logUrl({ port }: KafkaState): string {
  return `kafka://127.0.0.1:${port}`
}

/** The URL of the store for Holdfast. */
export function storeUrl({ port, owner }: MysqlState): string {
  return mysqlUrl({ port, ...owner })
}

/** The URL of a server for those who make databases and users. */
export function storeAdminUrl({ port, admin }: MysqlState): string {
  return mysqlUrl({ port, ...admin })
}

export type ServiceName = keyof State
