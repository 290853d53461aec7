import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import { tameTimers } from '../../log/kafka/tame-timers.ts'
import { ServiceError, reasonOf } from './errors.ts'
import { connectMysql } from './mysql-connection.ts'

/** One try may take this long. */
export const tryDeadlineMs = 5_000

/** Pause between two tries. */
export const tryAgainMs = 50

/** Rejects unless something listens there: cheaper to find out than whether the service answers. */
async function listens(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, timeout: tryDeadlineMs })
  socket.once('timeout', () => socket.destroy(new Error('no answer')))
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

/** Asks a broker, `host:port`, for its metadata, through kafkajs. Rejects when it does not answer. */
export async function askKafka(broker: string, security: Pick<KafkaConfig, 'ssl' | 'sasl'> = {}): Promise<void> {
  const { hostname, port } = new URL(`kafka://${broker}`)
  await listens(hostname.replaceAll(/[[\]]/g, ''), Number(port))
  tameTimers()
  const kafka = new Kafka({
    clientId: 'holdfast-services',
    brokers: [broker],
    ...security,
    logLevel: logLevel.NOTHING,
    connectionTimeout: tryDeadlineMs,
    requestTimeout: tryDeadlineMs,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    if (brokers.length === 0) throw new ServiceError('the cluster has no broker yet')
  } finally {
    await admin.disconnect()
  }
}

/** Makes one query through mysql2. Rejects when the server does not answer. */
export async function askMysql(url: string): Promise<void> {
  const connection = await connectMysql(url)
  try {
    await connection.query({ sql: 'SELECT 1', timeout: tryDeadlineMs })
  } finally {
    await connection.end()
  }
}

/** Asks until it is answered. `gaveUp` tells why it never will be, for example because the process ended. */
export async function untilAnswered(
  what: string,
  ask: () => Promise<void>,
  deadlineMs: number,
  gaveUp: () => string | null = () => null,
): Promise<void> {
  const end = performance.now() + deadlineMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const reason = gaveUp()
      if (reason !== null) throw new ServiceError(`${what} ${reason}`, { cause: error })
      if (performance.now() >= end)
        throw new ServiceError(`${what} does not answer within ${deadlineMs / 1000} s: ${reasonOf(error)}`, {
          cause: error,
        })
    }
    await sleep(tryAgainMs)
  }
}
