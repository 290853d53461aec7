import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { SignJWT } from 'jose'
import { request } from 'undici'
import { freePort } from '../compose/services/free-port.ts'
import { cpuOf } from './process.ts'
import type { BenchServices, Place } from './services.ts'

const secret = 'bench-secret-bench-secret-bench-secret'
/** How often the API is asked while no controller leads, and the ms between. */
const apiTriesMax = 100
const apiRetryMs = 100
const launcher = new URL('../cli/holdfast.js', import.meta.url).pathname

export interface WorkerRow {
  id: string
  pid: number
  version: string
  state: string
  slots: number
}

/** A cluster of real processes in a directory of its own, as `npm start` runs it. */
export class BenchCluster implements AsyncDisposable {
  readonly dataDir: string
  readonly websocketUrl: string
  readonly services: BenchServices
  readonly #place: Place
  /** What all of its processes are told. */
  readonly #env: NodeJS.ProcessEnv
  readonly #child: ChildProcess
  readonly #api: string
  readonly #workers: ChildProcess[] = []

  private constructor(
    services: BenchServices,
    place: Place,
    env: NodeJS.ProcessEnv,
    child: ChildProcess,
    dataDir: string,
    port: number,
    controllerPort: number,
  ) {
    this.services = services
    this.#place = place
    this.#env = env
    this.#child = child
    this.dataDir = dataDir
    this.websocketUrl = `ws://127.0.0.1:${port}/connection/websocket`
    this.#api = `http://127.0.0.1:${controllerPort}/api/v1`
  }

  static async start(services: BenchServices, settings: Record<string, string> = {}): Promise<BenchCluster> {
    const place = await services.place()
    const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
    const [port, controllerPort] = [await freePort(), await freePort()]
    const env = {
      ...process.env,
      HOLDFAST_DATA_DIR: dataDir,
      HOLDFAST_HTTP_SERVER_PORT: String(port),
      HOLDFAST_CONTROLLER_PORT: String(controllerPort),
      HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY: secret,
      HOLDFAST_LOG_LEVEL: 'error',
      // The generator stands for thousands of clients with a few connections.
      HOLDFAST_CLIENT_COMMAND_RATE: '100000',
      HOLDFAST_CLIENT_COMMAND_BURST: '100000',
      HOLDFAST_LOG: '',
      HOLDFAST_STORE: '',
      ...place.settings,
      ...settings,
    }
    const child = spawn(process.execPath, [launcher, 'dev'], { stdio: ['ignore', 'pipe', 'inherit'], env })
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('holdfast is ready'))
        return new BenchCluster(services, place, env, child, dataDir, port, controllerPort)
    }
    throw new Error('the cluster ended before it was ready')
  }

  /** Starts one more worker, which ends for good when it is drained. Returns its id. */
  async startWorker(version = 'v1'): Promise<string> {
    const before = new Set((await this.workers()).map(({ id }) => id))
    const child = spawn(process.execPath, [launcher, 'worker', '--version', version], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: this.#env,
    })
    this.#workers.push(child)
    while (child.exitCode === null) {
      const worker = (await this.workers()).find(({ id }) => !before.has(id))
      if (worker) return worker.id
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error('the worker ended before it was up')
  }

  /** Where its log is. */
  get logUrl(): string {
    return this.#place.settings['HOLDFAST_LOG'] ?? `embedded:${this.dataDir}`
  }

  token(user: string): Promise<string> {
    return new SignJWT({ sub: user }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret))
  }

  async api<T>(path: string, method: 'GET' | 'POST' = 'GET', body: object = {}): Promise<T> {
    const token = await readFile(join(this.dataDir, 'controller.token'), 'utf8')
    const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' }
    for (let tries = 1; ; tries++) {
      const response = await request(
        this.#api + path,
        method === 'GET' ? { headers } : { method, headers, body: JSON.stringify(body) },
      )
      if (response.statusCode < 300) return (await response.body.json()) as T
      // A database that stood still for a while leaves a cluster without a leader until it answers.
      if (response.statusCode !== 503 || tries === apiTriesMax)
        throw new Error(`${path}: ${await response.body.text()}`)
      await response.body.dump()
      await pause(apiRetryMs)
    }
  }

  workers(): Promise<WorkerRow[]> {
    return this.api<WorkerRow[]>('/workers')
  }

  /** WebSocket URLs of all proxies. */
  async websocketUrls(): Promise<string[]> {
    while (true) {
      const proxies = await this.api<{ address: string | null }[]>('/proxies')
      if (proxies.every(({ address }) => address !== null))
        return proxies.map(({ address }) => `ws://${address}/connection/websocket`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** The proxy at `websocketUrl`: its process, and the heap that it says is used, in bytes. */
  async proxy(): Promise<{ pid: number; heapUsed: () => Promise<number> }> {
    const targets = await this.api<{ targets: string[]; labels: { role: string } }[]>('/prometheus/targets')
    const internal = targets.find(({ labels }) => labels.role === 'proxy')!.targets[0]!
    const [{ pid }] = (await this.api<{ pid: number }[]>('/proxies')) as [{ pid: number }]
    return {
      pid,
      async heapUsed() {
        const response = await request(`http://${internal}/metrics`)
        const line = /^nodejs_heap_size_used_bytes\S* (\S+)/m.exec(await response.body.text())
        if (line === null) throw new Error('the proxy does not tell its heap')
        return Number(line[1])
      },
    }
  }

  /** CPU time in ms of each kind of process: by role, and of the services that run for the cluster on this machine. */
  async cpuByRole(): Promise<Map<string, number>> {
    const spent = new Map<string, number>()
    const own = await descendants(this.#child.pid!)
    const beside = this.#workers.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    for (const pid of [...own, ...beside.map(({ pid }) => pid!)]) {
      const role = pid === this.#child.pid ? 'supervisor' : await roleOf(pid)
      spent.set(role, (spent.get(role) ?? 0) + (await cpuOf(pid)))
    }
    for (const [service, pid] of Object.entries(this.services.pids)) spent.set(service, await cpuOf(pid))
    return spent
  }

  /** CPU time of all processes of the cluster and of the services that run for it on this machine, in ms. */
  async cpuMs(): Promise<number> {
    return (await this.cpuByRole()).values().reduce((total, ms) => total + ms, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers, this.#child].map(stop))
    await this.#place[Symbol.asyncDispose]()
    await rm(this.dataDir, { recursive: true, force: true })
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const children = text.split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(children.map(descendants))).flat()]
}

/** The word after the launcher in a process's command line. */
async function roleOf(pid: number): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
  return words[words.findIndex((word) => word.endsWith('holdfast.js')) + 1] || 'other'
}
