/** A cluster in one process whose proxy is served on a port. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { ClientOptions } from 'ws'
import type { Metrics } from '../../observability/metrics.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import type { Proxy } from '../../proxy/proxy.ts'
import { websocketPath } from '../../proxy/transports/websocket/route.ts'
import { Wire } from './clients/wire.ts'
import { InProcessCluster } from './in-process-cluster.ts'
import { servedSettings } from './settings.ts'
import { tokenFor } from './tokens.ts'

/**
 * A proxy with its public listener on a free port of the loopback, and a worker behind it, on the memory log and store.
 * Tokens are needed unless a flag says otherwise.
 */
export class Served implements AsyncDisposable {
  readonly cluster: InProcessCluster
  readonly proxy: Proxy
  readonly metrics: Metrics
  readonly listener: FastifyInstance
  readonly port: number
  readonly #wires: Wire[] = []

  private constructor(cluster: InProcessCluster, proxy: Proxy, metrics: Metrics, listener: FastifyInstance) {
    this.cluster = cluster
    this.proxy = proxy
    this.metrics = metrics
    this.listener = listener
    this.port = (listener.server.address() as AddressInfo).port
  }

  /** `logger` takes what the proxy says; without it nobody hears. `files` is how many it may open. */
  static async start(flags: Record<string, string> = {}, logger?: Logger, files = Infinity): Promise<Served> {
    const cluster = new InProcessCluster({ ...servedSettings, ...flags })
    await cluster.controller()
    await cluster.worker()
    const handles = cluster.handles()
    if (logger) handles.env.logger = logger
    const proxy = await cluster.proxy({ handles, files })
    const listener = await buildListener(proxy, cluster.config, handles.env)
    await listener.listen({ host: '127.0.0.1', port: 0 })
    await cluster.owned()
    return new Served(cluster, proxy, handles.env.metrics, listener)
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}${websocketPath}`
  }

  /** Opens a WebSocket that has not said anything yet. */
  async open(options: ClientOptions & { query?: string; protocols?: string[] } = {}): Promise<Wire> {
    const { query = '', protocols = [], ...rest } = options
    const wire = new Wire(this.url + query, protocols, rest)
    this.#wires.push(wire)
    await wire.opened
    return wire
  }

  /** The HTTP status that answers an upgrade. */
  async statusOf(options: ClientOptions = {}): Promise<number> {
    return this.open(options).then(
      () => 101,
      (error: { status: number }) => error.status,
    )
  }

  /** A client that is connected as `user`. */
  async client(user = 'ada'): Promise<Wire> {
    const wire = await this.open()
    await wire.connect(await tokenFor(user))
    return wire
  }

  /** TCP connections that the listener holds. */
  async connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.listener.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.terminate()
    await this.listener.close()
    await this.cluster[Symbol.asyncDispose]()
  }
}
