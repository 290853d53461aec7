/** A cluster in one process whose workers and whose proxy come back when a fault kills them, as under a supervisor. */
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Controller } from '../../controller/controller.ts'
import { createMetrics } from '../../observability/metrics.ts'
import type { Metrics } from '../../observability/metrics.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import { websocketPath } from '../../proxy/transports/websocket/route.ts'
import { until } from '../support/until.ts'
import { testFaults } from './env.ts'
import { InProcessCluster } from './in-process-cluster.ts'
import type { Handles } from './in-process-cluster.ts'
import { servedSettings } from './settings.ts'

/** Two workers, a proxy on a port of the loopback, and a controller that sets faults. */
export class FaultyCluster implements AsyncDisposable {
  readonly cluster: InProcessCluster
  readonly controller: Controller
  /** What faults did, in all processes that there ever were. */
  readonly metrics: Metrics = createMetrics()
  /** Processes that faults ended. */
  kills = 0
  /** Ids of those that nothing has killed. */
  readonly #alive = new Set<string>()
  #port = 0
  #listener: FastifyInstance | null = null
  #isOver = false
  readonly #sockets = new Set<Socket>()

  private constructor(cluster: InProcessCluster, controller: Controller) {
    this.cluster = cluster
    this.controller = controller
  }

  static async start(flags: Record<string, string> = {}): Promise<FaultyCluster> {
    const cluster = new InProcessCluster({ ...servedSettings, ...flags })
    const faulty = new FaultyCluster(cluster, await cluster.controller())
    await Promise.all([faulty.#worker(), faulty.#worker()])
    await faulty.#proxy()
    await cluster.owned()
    return faulty
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}${websocketPath}`
  }

  /** Sets a fault, and resolves when all processes follow it. */
  async set(name: string, rule: object): Promise<void> {
    await this.#followed(await this.controller.faults.put(name, rule, 'a test'))
  }

  /** Clears what is set, and resolves when no process has it any more. */
  async clear(): Promise<void> {
    await this.#followed((await this.controller.faults.clear(null, 'a test')).revision)
  }

  /** How often a fault struck. */
  async injected(fault: string): Promise<number> {
    const { values } = await this.metrics.faultsInjected.get()
    return values
      .filter(({ labels }) => (labels as { fault?: string }).fault === fault)
      .reduce((sum, { value }) => sum + value, 0)
  }

  async #followed(revision: number): Promise<void> {
    const { members } = this.controller
    // Whoever was killed is known as long as its silence is not believed, which on a busy machine may be long.
    await until(`all follow revision ${revision}`, () => {
      const follow = [...members.workers(), ...members.proxies()].filter(
        ({ beat }) => beat.config?.revision === revision,
      )
      const ids = new Set(follow.map(({ beat }) => beat.id))
      return this.#alive.isSubsetOf(ids)
    })
  }

  #handles(die: () => Promise<void>): Handles {
    const handles = this.cluster.handles()
    const { clock } = handles.env
    const kill = (): void => {
      this.kills++
      void die()
    }
    handles.env.faults = testFaults({ clock, metrics: this.metrics, kill })
    return handles
  }

  async #worker(): Promise<void> {
    const worker = await this.cluster.worker({
      handles: this.#handles(async () => {
        this.#alive.delete(worker.id)
        worker.kill()
        if (!this.#isOver) await this.#worker()
      }),
    })
    this.#alive.add(worker.id)
  }

  async #proxy(): Promise<void> {
    const handles = this.#handles(async () => {
      this.#alive.delete(proxy.id)
      proxy.kill()
      await this.#close()
      if (!this.#isOver) await this.#proxy()
    })
    const proxy = await this.cluster.proxy({ handles })
    this.#alive.add(proxy.id)
    this.#listener = await buildListener(proxy, this.cluster.config, handles.env)
    this.#listener.server.on('connection', (socket: Socket) => this.#sockets.add(socket))
    await this.#listener.listen({ host: '127.0.0.1', port: this.#port })
    this.#port = (this.#listener.server.address() as AddressInfo).port
  }

  async #close(): Promise<void> {
    const listener = this.#listener
    this.#listener = null
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
    await listener?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#close()
    await this.cluster[Symbol.asyncDispose]()
  }
}
