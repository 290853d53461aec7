import { chat } from '../apps/chat/chat.ts'
import { loadConfig } from '../config/load.ts'
import { Controller } from '../controller/controller.ts'
import { MemoryLog, MemoryLogData } from '../log/memory/memory-log.ts'
import { systemClock } from '../platform/clock.ts'
import { partitionOf } from '../protocol/partition.ts'
import { decodeStatus } from '../protocol/records/status.ts'
import { heartbeatPartitions, heartbeatTopic } from '../protocol/records/topics.ts'
import { Proxy } from '../proxy/proxy.ts'
import type { Session } from '../proxy/sessions/session.ts'
import { jsonOverWebSocket } from '../proxy/transports/websocket/json-over-websocket.ts'
import { MemoryStoreData } from '../store/memory/memory-store.ts'
import { Worker } from '../worker/worker.ts'
import { memoryEnv } from './memory-env.ts'

/** Rooms, each with a session of its own that publishes in it. */
const rooms = 64
const data = { text: 'x'.repeat(100) }
/** Nobody is found dead because others are measured meanwhile. */
const settings = {
  'topics.slots': '16',
  'topics.inbox_partitions': '1',
  'client.insecure': 'true',
  'client.command_rate': '1000000',
  'client.command_burst': '1000000',
  'client.ping_interval': '1h',
  'client.pong_timeout': '30m',
  'controller.death_time': '10m',
  'controller.proxy_death_time': '1h',
}

/**
 * The way of a publish from a session's frame to its answer and its publication: proxy, worker and controller in this
 * process, on a log and a store in memory, so that all that it costs is our code.
 */
export class Path {
  readonly #sessions: Session[] = []
  readonly #proxy: Proxy
  readonly #log: MemoryLog
  /** Id of the worker. */
  readonly #worker: string
  readonly #stops: (() => void)[]
  #id = 0
  #answered = 0
  #answer: () => void = () => {}

  private constructor(proxy: Proxy, log: MemoryLog, worker: string, stops: (() => void)[]) {
    this.#proxy = proxy
    this.#log = log
    this.#worker = worker
    this.#stops = stops
  }

  /** Resolves when every session has its room. */
  static async start(): Promise<Path> {
    const { config } = loadConfig({ env: {}, cwd: import.meta.dirname, dev: true, flags: settings })
    const logs = new MemoryLogData()
    const stores = new MemoryStoreData(() => systemClock.now())
    const options = { config, pid: 1, internal: { host: '127.0.0.1', port: 1 } }
    const env = () => memoryEnv(config, logs, stores)
    const own = env()
    await own.store.migrate()
    const controller = new Controller(own, {
      ...options,
      version: '0',
      openWire: () => ({ close() {} }),
      ended: (error) => {
        throw error
      },
    })
    const worker = new Worker(env(), { ...options, version: 'v1', ended: () => {} })
    const proxy = new Proxy(env(), { ...options, calls: chat.calls, version: '0', files: Infinity, ended: () => {} })
    await controller.start()
    await worker.join()
    worker.serve(chat)
    await proxy.start()
    while ((await own.store.leases()).some(({ owner }) => owner === null)) await systemClock.sleep(20)
    const path = new Path(
      proxy,
      new MemoryLog(logs),
      worker.id,
      [proxy, worker, controller].map((each) => () => each.kill()),
    )
    for (let room = 0; room < rooms; room++) await path.#join(`room-${room}`)
    return path
  }

  /** So many publishes, of which so many at once wait for their answer: in one room after the other. */
  async publish(count: number, atOnce: number): Promise<void> {
    const first = this.#answered
    const last = first + count
    let sent = first
    await new Promise<void>((resolve) => {
      this.#answer = () => {
        while (sent < last && sent - this.#answered < atOnce) {
          const room = sent++ % rooms
          this.#send(room, { publish: { channel: `room-${room}`, data } })
        }
        if (this.#answered >= last) resolve()
      }
      this.#answer()
    })
    this.#answer = () => {}
  }

  /** Bytes of each heartbeat that the worker has sent, oldest first. */
  async beats(): Promise<number[]> {
    const partition = partitionOf(this.#worker, heartbeatPartitions)
    const { oldest, next } = await this.#log.range(heartbeatTopic, partition)
    const reader = this.#log.read(heartbeatTopic, partition, oldest)
    const bytes: number[] = []
    for (let at = oldest; at < next;) {
      for (const { offset, value } of await reader.next()) {
        at = offset + 1
        const record = decodeStatus(value)
        if (record.type === 'heartbeat' && record.id === this.#worker) bytes.push(value.length)
      }
    }
    reader.close()
    return bytes
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  async #join(channel: string): Promise<void> {
    const session = this.#proxy.open(
      {
        transport: jsonOverWebSocket,
        bufferedBytes: 0,
        write: (frame) => this.#frame(frame),
        pause: () => {},
        resume: () => {},
        close: (code, reason) => {
          throw new Error(`a session was closed with ${code} ${reason}`)
        },
        terminate: () => {},
      },
      '127.0.0.1',
    )
    const room = this.#sessions.push(session) - 1
    for (const command of [{ connect: {} }, { subscribe: { channel } }]) {
      const answered = new Promise<void>((resolve) => (this.#answer = resolve))
      this.#send(room, command)
      await answered
    }
  }

  #send(room: number, command: object): void {
    this.#proxy.received(this.#sessions[room]!, JSON.stringify({ id: ++this.#id, ...command }))
  }

  #frame(frame: Buffer): void {
    if (frame.includes('"error"')) throw new Error(`a command failed: ${frame.toString()}`)
    const before = this.#answered
    for (let at = frame.indexOf('{"id":'); at !== -1; at = frame.indexOf('{"id":', at + 1)) this.#answered++
    // Not while the proxy writes.
    if (this.#answered > before) queueMicrotask(this.#answer)
  }
}
