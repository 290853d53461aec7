/** A cluster of real processes: `holdfast dev`, and others beside it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../compose/services/free-port.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import type { ProcessEntry } from '../../support/process-table.ts'
import { descendants, processes, signalIfRunning } from '../../support/process-table.ts'
import type { Exit } from '../../support/process.ts'
import { Kept, Running } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { whyUnowned } from '../owned.ts'
import { groupSettings, otherProxySettings, processSettings } from '../settings.ts'
import { Api } from './api.ts'
import type { ProxyView, SlotView, WorkerView } from './api.ts'
import { roleOf } from './role.ts'
import type { Role } from './role.ts'

export interface ClusterOptions {
  /** Where the log is, as a URL; embedded in the data directory without it. */
  log?: string
  /** Where the store is, as a URL; embedded in the data directory without it. */
  store?: string
  /** The first belongs to `holdfast dev`; the others are restarted by the test, as an orchestrator would. */
  proxies?: number
  /** A namespace whose rooms have a group of slots of their own; every second room of a fleet is in it. */
  ownSlots?: string
  /** More environment variables. */
  settings?: NodeJS.ProcessEnv
  /** Left by another cluster; without it a new one is made. */
  dataDirectory?: string
  /** The supervisor leads a process group of its own. */
  ownGroup?: boolean
}

/** `holdfast dev` is ready within this. */
export const readyDeadlineMs = 20_000

/** A command of the CLI ends within this; a drain takes longest. */
export const commandDeadlineMs = 30_000

/** A real cluster: `holdfast dev` with all its processes, in a data directory and on ports of its own. */
export class Cluster implements AsyncDisposable {
  readonly dataDirectory: string
  readonly port: number
  readonly controllerPort: number
  readonly environment: NodeJS.ProcessEnv
  readonly running: Running
  /** Where clients may connect: a URL for each proxy. */
  readonly socketUrls: string[]
  readonly ownSlots: string | null
  readonly #api: Api
  readonly #others: (Running | Kept)[] = []

  constructor(dataDirectory: string, port: number, controllerPort: number, options: ClusterOptions) {
    this.dataDirectory = dataDirectory
    this.port = port
    this.controllerPort = controllerPort
    this.environment = {
      ...processSettings,
      HOLDFAST_HTTP_SERVER_PORT: String(port),
      HOLDFAST_CONTROLLER_PORT: String(controllerPort),
      HOLDFAST_DATA_DIR: dataDirectory,
      HOLDFAST_LOG: options.log,
      HOLDFAST_STORE: options.store,
      ...(options.ownSlots !== undefined && groupSettings(options.ownSlots)),
      ...options.settings,
    }
    this.ownSlots = options.ownSlots ?? null
    this.socketUrls = [socketUrl(port)]
    this.#api = new Api(controllerPort, dataDirectory)
    this.running = new Running(['dev'], this.environment, { ownGroup: options.ownGroup ?? false })
  }

  /** Where the chat page is. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Of its log. */
  get logUrl(): string {
    return this.environment['HOLDFAST_LOG'] ?? `embedded:${this.dataDirectory}`
  }

  /** Of its store. */
  get storeUrl(): string {
    return this.environment['HOLDFAST_STORE'] ?? `embedded:${this.dataDirectory}`
  }

  workers(): Promise<WorkerView[]> {
    return this.#api.workers()
  }

  slots(): Promise<SlotView[]> {
    return this.#api.slots()
  }

  proxies(): Promise<ProxyView[]> {
    return this.#api.proxies()
  }

  /** As Api.counter(). */
  counter(name: string): Promise<number> {
    return this.#api.counter(name)
  }

  metrics(): Promise<string> {
    return this.#api.metrics()
  }

  /** As Api.read(). */
  read<T>(what: string): Promise<T> {
    return this.#api.read<T>(what)
  }

  /** As Api.send(). */
  send(...request: Parameters<Api['send']>): Promise<void> {
    return this.#api.send(...request)
  }

  /** Applies a resource. */
  applied(resource: unknown): Promise<void> {
    return this.#api.send('POST', 'resources', { resources: [resource] })
  }

  /** Deletes a resource. */
  deleted(kind: string, name: string): Promise<void> {
    return this.#api.send('POST', 'resources/delete', { names: [{ kind, name }] })
  }

  /** Runs `holdfast …` against this cluster to its end. */
  async command(...args: string[]): Promise<{ exit: Exit; stdout: string; stderr: string }> {
    await using command = new Running(args, this.environment)
    const overdue = setTimeout(() => command.signal('SIGKILL'), commandDeadlineMs)
    const exit = await command.exited
    clearTimeout(overdue)
    return { exit, stdout: command.stdout, stderr: command.stderr }
  }

  /** Starts another process of the cluster (`worker --version v2`), which ends with it. */
  start(...args: string[]): Running {
    const running = new Running(args, this.environment)
    this.#others.push(running)
    return running
  }

  /**
   * Starts a worker with settings of its own, and starts it again whenever it ends; it ends with the cluster. Resolves
   * when it is up.
   */
  async keepWorker(settings: NodeJS.ProcessEnv = {}): Promise<Kept> {
    return this.#keep(['worker'], settings, 'worker is up')
  }

  /** Another proxy, as keepWorker() does; clients may connect to it. */
  async keepProxy(settings: NodeJS.ProcessEnv = {}): Promise<Kept> {
    const port = await freePort()
    const own = { ...otherProxySettings, HOLDFAST_HTTP_SERVER_PORT: String(port), ...settings }
    const proxy = await this.#keep(['proxy'], own, 'proxy is up')
    this.socketUrls.push(socketUrl(port))
    return proxy
  }

  /** Another controller, as keepWorker() does, at a port of its own. */
  async keepController(): Promise<{ port: number; kept: Kept }> {
    const port = await freePort()
    const kept = await this.#keep(['controller'], { HOLDFAST_CONTROLLER_PORT: String(port) }, 'controller is up')
    return { port, kept }
  }

  async #keep(args: string[], settings: NodeJS.ProcessEnv, upLine: string): Promise<Kept> {
    const kept = new Kept(args, { ...this.environment, ...settings })
    this.#others.push(kept)
    await kept.running.line(upLine, readyDeadlineMs)
    return kept
  }

  /** Drains a worker; throws with the command's output when it does not return 0. */
  async drain(worker: string): Promise<void> {
    const { exit, stdout, stderr } = await this.command('drain', 'worker', worker)
    if (exit.code !== exitCodes.ok)
      throw new Error(`drain worker ${worker} ended with ${exit.code}:\n${stdout}${stderr}`)
  }

  /** Waits until `count` workers are live and own every slot between them, and nothing else does. */
  async settled(count = 2, deadlineMs = 10_000): Promise<WorkerView[]> {
    return until(
      `${count} live workers that own all slots`,
      async () => {
        const [workers, slots] = await Promise.all([this.workers(), this.slots()])
        const live = new Set(workers.filter((worker) => worker.state === 'live').map((worker) => worker.id))
        return live.size === count && whyUnowned(slots, live) === null && workers
      },
      deadlineMs,
    )
  }

  /** Process ids of a role, oldest first. */
  async pids(role: Role): Promise<number[]> {
    return (await this.children()).filter((entry) => roleOf(entry) === role).map((entry) => entry.pid)
  }

  /** The one process of a role. */
  async pid(role: Role): Promise<number> {
    return until(`one process that is the ${role}`, async () => {
      const found = await this.pids(role)
      return found.length === 1 && found[0]
    })
  }

  /** Every process of the cluster but the supervisor. */
  async children(): Promise<ProcessEntry[]> {
    const others = new Set(this.#others.map(({ pid }) => pid))
    const [started, all] = await Promise.all([descendants(this.running.pid), processes()])
    return [...started, ...all.filter(({ pid }) => others.has(pid))]
  }

  /** All that the cluster's processes have printed. */
  get output(): string {
    return [this.running, ...this.#others].map((running) => running.output).join('\n')
  }

  /** Ends everything that belongs to the cluster and removes its data. */
  async stop(): Promise<void> {
    const children = await this.children()
    // One that a test froze could not end.
    for (const { pid } of children) signalIfRunning(pid, 'SIGCONT')
    await Promise.all([...this.#others.map((other) => other.stop()), this.running.stop()])
    const left = new Set((await processes()).map((entry) => `${entry.pid} ${entry.command}`))
    for (const { pid, command } of children) if (left.has(`${pid} ${command}`)) signalIfRunning(pid, 'SIGKILL')
    rmSync(this.dataDirectory, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function socketUrl(port: number): string {
  return `ws://127.0.0.1:${port}/connection/websocket`
}

/** Starts a cluster and waits until it is ready. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const cluster = new Cluster(dataDirectory, await freePort(), await freePort(), options)
  try {
    await cluster.running.line('holdfast is ready', readyDeadlineMs)
    for (let extra = 1; extra < (options.proxies ?? 1); extra++) await cluster.keepProxy()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}
