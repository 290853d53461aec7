/** Two controllers of a cluster of real processes: that of `holdfast dev`, and one beside it. */
import { isAlive } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'
import { Api } from './api.ts'
import type { Cluster } from './cluster.ts'

/** What an operator is promised: a leader that is gone is followed within this. */
export const takeoverMs = 5_000

/** Asks whichever of the two leads; both are started again when they end. */
export class ControllerPair {
  readonly #cluster: Cluster
  readonly #apis: readonly [Api, Api]
  /** Process of the second one. */
  readonly #secondPid: () => number
  #leading: 0 | 1 = 0

  private constructor(cluster: Cluster, apis: readonly [Api, Api], secondPid: () => number) {
    this.#cluster = cluster
    this.#apis = apis
    this.#secondPid = secondPid
  }

  /** Starts the second one, which ends with the cluster. */
  static async start(cluster: Cluster): Promise<ControllerPair> {
    const { port, kept } = await cluster.keepController()
    const apis = [cluster.controllerPort, port].map((each) => new Api(each, cluster.dataDirectory)) as [Api, Api]
    const pair = new ControllerPair(cluster, apis, () => kept.pid)
    await pair.followed()
    return pair
  }

  /** As Api.read(), of the one that leads. */
  read<T>(what: string): Promise<T> {
    return this.#apis[this.#leading].read<T>(what)
  }

  /** As Api.send(), to the one that leads. */
  send(...request: Parameters<Api['send']>): Promise<void> {
    return this.#apis[this.#leading].send(...request)
  }

  /** Process of the one that leads. */
  async leader(): Promise<number> {
    const second = this.#secondPid()
    if (this.#leading === 1) return second
    const [first] = (await this.#cluster.pids('controller')).filter((pid) => pid !== second)
    return first!
  }

  /** Kills the one that leads. */
  async kill(): Promise<void> {
    const pid = await this.leader()
    process.kill(pid, 'SIGKILL')
    await until('it to be dead', () => !isAlive(pid))
  }

  /** Resolves when one leads: the other, or that which was started in place of the killed one. */
  async followed(): Promise<void> {
    const { each } = await until(
      'a controller that leads',
      async () => {
        for (const each of [0, 1] as const) if (await isLeader(this.#apis[each])) return { each }
        return null
      },
      takeoverMs,
    )
    this.#leading = each
  }
}

/** Whether a controller leads; one that does not answer does not. */
export async function isLeader(api: Api): Promise<boolean> {
  return api.read<{ leader: boolean }>('status').then(
    ({ leader }) => leader,
    () => false,
  )
}
