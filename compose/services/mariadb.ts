import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { askMysql, untilAnswered } from './answers.ts'
import { lastOutput, startDaemon, type Daemon } from './daemon.ts'
import type { MariadbPrograms } from './mariadb-programs.ts'
import { mysqlUrl } from './mysql-url.ts'
import { run } from './programs.ts'

/** The user of a server who may do everything. */
export const adminUser = 'admin'

/** How a server runs. */
export interface MariadbOptions extends MariadbPrograms {
  /** Its data and output. What is there already is kept. */
  directory: string
  /** Of 127.0.0.1. */
  port: number
  /** Of the user `admin`, who may do everything: letters and digits. */
  adminPassword: string
  /** Further options of the server, such as `--innodb-lock-wait-timeout=1`. */
  settings?: string[]
  /** True lets it outlive this process. */
  detached?: boolean
}

/** A server needs this long to start at most, after a crash too. */
export const startDeadlineMs = 60_000

/** Making its first tables takes this long at most. */
export const installDeadlineMs = 60_000

/**
 * Starts a server on a new directory or on one it had before. Resolves when the process runs; `untilMariadbAnswers`
 * waits for the rest.
 */
export async function startMariadb(options: MariadbOptions): Promise<Daemon> {
  const directory = resolve(options.directory)
  const data = join(directory, 'data')
  const user = userInfo().username
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (!existsSync(data)) await makeData(options.mariadbInstallDb, user, data)
  const initFile = join(directory, 'init.sql')
  await writeFile(initFile, makeAdmin(options.adminPassword), { mode: 0o600 })
  return startDaemon({
    command: options.mariadbd,
    args: [
      // First, or it would read the configuration of the system.
      '--no-defaults',
      `--datadir=${data}`,
      `--init-file=${initFile}`,
      `--port=${options.port}`,
      ...(user === 'root' ? ['--user=root'] : []),
      ...serverOptions,
      ...(options.settings ?? []),
    ],
    marker: `--datadir=${data}`,
    outputPath: outputPath(directory),
    detached: options.detached ?? false,
  })
}

/** Waits until a server that was started answers its admin. Rejects at once when its process ends. */
export async function untilMariadbAnswers(server: Daemon, options: MariadbOptions): Promise<void> {
  await untilAnswered(
    `MariaDB on 127.0.0.1:${options.port}`,
    () => askMysql(mysqlUrl({ user: adminUser, password: options.adminPassword, port: options.port })),
    startDeadlineMs,
    () => (server.end === null ? null : `ended ${server.end}: ${lastOutput(outputPath(options.directory))}`),
  )
}

const outputPath = (directory: string): string => join(directory, 'output.log')

const serverOptions = [
  '--bind-address=127.0.0.1',
  // No socket: the limit of 107 bytes for its path is soon reached.
  '--socket=',
  '--skip-name-resolve',
  '--character-set-server=utf8mb4',
  '--collation-server=utf8mb4_bin',
  '--max-connections=500',
  '--innodb-buffer-pool-size=128M',
  // A commit that was answered survives a loss of power.
  '--innodb-flush-log-at-trx-commit=1',
  '--skip-log-bin',
  '--skip-performance-schema',
]

/** In another place first: a start that was cut short leaves nothing that looks whole. */
async function makeData(mariadbInstallDb: string, user: string, data: string): Promise<void> {
  const draft = `${data}.new`
  await rm(draft, { recursive: true, force: true })
  const args = ['--no-defaults', `--datadir=${draft}`, `--user=${user}`, '--skip-test-db', '--skip-name-resolve']
  await run(mariadbInstallDb, args, installDeadlineMs)
  await rename(draft, data)
}

/** The server runs this at each start: one statement a line. */
function makeAdmin(password: string): string {
  return [
    `CREATE USER IF NOT EXISTS '${adminUser}'@'%';`,
    `ALTER USER '${adminUser}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${adminUser}'@'%' WITH GRANT OPTION;`,
    '',
  ].join('\n')
}
