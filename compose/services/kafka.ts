import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { askKafka, untilAnswered } from './answers.ts'
import { lastOutput, startDaemon, type Daemon } from './daemon.ts'
import { run } from './programs.ts'

/** What a broker is started with. */
export interface KafkaProgram {
  java: string
  /** Folder with Kafka's jars. */
  libraries: string
}

/** A node of a cluster, as its controllers know it. */
export interface Voter {
  nodeId: number
  controllerPort: number
}

/** A further listener, for clients that come through something else, such as a proxy that cuts them off. */
export interface ExtraListener {
  /** Capital letters. */
  name: string
  port: number
  /** Where its clients are told to connect. */
  advertisedPort: number
}

/** How a broker runs. All ports are of 127.0.0.1 and stay the same when it is started again on its directory. */
export interface KafkaOptions extends KafkaProgram {
  /** Its configuration, data and output. What is there already is kept. */
  directory: string
  /** For clients and other brokers. */
  port: number
  controllerPort: number
  nodeId?: number
  /** Every node of its cluster, itself included; without them it is one alone. */
  voters?: Voter[]
  /** The same for all nodes of a cluster; see `newClusterId`. Needed with `voters`. */
  clusterId?: string
  extraListeners?: ExtraListener[]
  /** Lines of server.properties beyond the usual ones, or in their place. */
  settings?: Record<string, string>
  javaOptions?: string[]
  /** True lets it outlive this process. */
  detached?: boolean
}

/** A broker needs this long to start at most. */
export const startDeadlineMs = 90_000

/** Formatting its directory takes this long at most. */
export const formatDeadlineMs = 60_000

/** Memory of a broker's heap, in MB. */
export const heapMb = { first: 256, max: 512 }

/** An id for a new cluster. */
export function newClusterId(): string {
  return randomBytes(16).toString('base64url')
}

/**
 * Starts a broker that is also a controller, in one process, on a new directory or on one it had before. Resolves when
 * the process runs; `untilKafkaAnswers` waits for the rest. (A node of three answers once two of them run.)
 */
export async function startKafka(options: KafkaOptions): Promise<Daemon> {
  const directory = resolve(options.directory)
  const properties = join(directory, 'server.properties')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(properties, serverProperties({ ...options, directory }), { mode: 0o600 })
  const java = javaOptions(options)
  if (!existsSync(join(directory, 'data', 'meta.properties'))) {
    // One argument: an id may start with a dash.
    const format = ['format', `--cluster-id=${options.clusterId ?? newClusterId()}`, '--config', properties]
    await run(options.java, [...java, 'kafka.tools.StorageTool', ...format], formatDeadlineMs)
  }
  return startDaemon({
    command: options.java,
    args: [...java, 'kafka.Kafka', properties],
    marker: properties,
    outputPath: outputPath(directory),
    detached: options.detached ?? false,
  })
}

/** Waits until a broker that was started answers clients. Rejects at once when its process ends. */
export async function untilKafkaAnswers(broker: Daemon, { directory, port }: KafkaOptions): Promise<void> {
  await untilAnswered(
    `Kafka on 127.0.0.1:${port}`,
    () => askKafka(`127.0.0.1:${port}`),
    startDeadlineMs,
    () => (broker.end === null ? null : `ended ${broker.end}: ${lastOutput(outputPath(directory))}`),
  )
}

const outputPath = (directory: string): string => join(directory, 'output.log')

/** Where the classes of a broker are kept as Java wants them in memory. */
export function archivePath(libraries: string): string {
  return join(libraries, 'classes.jsa')
}

function javaOptions({ libraries, javaOptions = [] }: KafkaOptions): string[] {
  const archive = archivePath(libraries)
  return [
    `-Xms${heapMb.first}m`,
    `-Xmx${heapMb.max}m`,
    // Measured on two cores: a third less CPU per request than G1 and 80 MB less memory, with the same latency. The second
    // compiler stays on: its code takes half the CPU of the first one's once it has warmed up.
    '-XX:+UseSerialGC',
    '-Djava.awt.headless=true',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
    ...(existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []),
    ...javaOptions,
    '-cp',
    join(libraries, '*'),
  ]
}

function serverProperties(options: KafkaOptions): string {
  const { directory, port, controllerPort, nodeId = 1, extraListeners = [] } = options
  const voters = options.voters ?? [{ nodeId, controllerPort }]
  const replicas = String(voters.length)
  const listeners = [{ name: 'PLAINTEXT', port, advertisedPort: port }, ...extraListeners]
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'log.dirs': join(directory, 'data'),
    'controller.quorum.voters': voters.map((voter) => `${voter.nodeId}@127.0.0.1:${voter.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': ['CONTROLLER', ...listeners.map(({ name }) => name)]
      .map((name) => `${name}:PLAINTEXT`)
      .join(','),
    listeners: [...listeners, { name: 'CONTROLLER', port: controllerPort }]
      .map(({ name, port }) => `${name}://127.0.0.1:${port}`)
      .join(','),
    'advertised.listeners': listeners
      .map(({ name, advertisedPort }) => `${name}://127.0.0.1:${advertisedPort}`)
      .join(','),
    // Topics are made by those who know how they must be.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    // A small machine: few threads, little memory for the cleaner, no record twice a second while nothing happens.
    'num.network.threads': '2',
    'num.io.threads': '4',
    'num.recovery.threads.per.data.dir': '2',
    'background.threads': '2',
    'num.replica.fetchers': '1',
    'log.cleaner.dedupe.buffer.size': String(8 * 1024 * 1024),
    'metadata.max.idle.interval.ms': '10000',
    // After `kill -9` a broker waits until its old session has ended, by default for 9 s.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '1000',
    // What retention and deletion free is free soon.
    'log.retention.check.interval.ms': '10000',
    'log.initial.task.delay.ms': '5000',
    'log.segment.delete.delay.ms': '1000',
    ...options.settings,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
