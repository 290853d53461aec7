import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { bringKafka } from './kafka-libraries.ts'
import { startKafka, untilKafkaAnswers } from './kafka.ts'
import { bringMariadb } from './mariadb-programs.ts'
import { adminUser, startMariadb, untilMariadbAnswers } from './mariadb.ts'
import { newPassword } from './mysql-url.ts'
import type { Say } from './programs.ts'
import { newOwner, type KafkaState, type MysqlState, type StateFile } from './state.ts'

/** A service as a process of its own on this machine. Resolves `start` once it answers. */
export interface LocalService {
  start(): Promise<void>
}

/** Kafka from Maven's jars. Rejects when it cannot be had here. */
export async function localKafka(file: StateFile, say: Say): Promise<LocalService> {
  const program = await bringKafka(say)
  return {
    async start() {
      const before = file.state.kafka
      const state: KafkaState = {
        port: await freePort(before?.port),
        controllerPort: await freePort(before?.controllerPort),
      }
      say(`starting Kafka on 127.0.0.1:${state.port}`)
      const options = { ...program, ...state, directory: join(file.directory, 'kafka'), detached: true }
      const broker = await startKafka(options)
      // At once, so that services:down finds it even when it never answers.
      file.keep({ kafka: { ...state, daemon: { pid: broker.pid, marker: broker.marker } } })
      await untilKafkaAnswers(broker, options)
    },
  }
}

/** MariaDB from the distribution. Rejects when it cannot be had here. */
export async function localMariadb(file: StateFile, say: Say): Promise<LocalService> {
  const programs = await bringMariadb(say)
  return {
    async start() {
      const before = file.state.mysql
      const state: MysqlState = {
        port: await freePort(before?.port),
        admin: before?.admin ?? { user: adminUser, password: newPassword() },
        owner: before?.owner ?? newOwner(),
      }
      say(`starting MariaDB on 127.0.0.1:${state.port}`)
      const options = {
        ...programs,
        directory: join(file.directory, 'mariadb'),
        port: state.port,
        adminPassword: state.admin.password,
        detached: true,
      }
      const server = await startMariadb(options)
      file.keep({ mysql: { ...state, daemon: { pid: server.pid, marker: server.marker } } })
      await untilMariadbAnswers(server, options)
    },
  }
}
