/** What operators see of a cluster of real processes: the controller's API, and what every process says in metrics. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface WorkerView {
  id: string
  pid: number
  version: string
  state: string
  slots: number
}

export interface SlotView {
  slot: string
  owner: string | null
  version: string | null
  epoch: number
  next_offset: number
  lag: number
}

export interface ProxyView {
  id: string
  pid: number
  generation: number
  state: string
  sessions: number
}

export class Api {
  readonly #port: number
  readonly #dataDirectory: string

  /** At the controller's `port`; the token lies in the cluster's data directory. */
  constructor(port: number, dataDirectory: string) {
    this.#port = port
    this.#dataDirectory = dataDirectory
  }

  workers(): Promise<WorkerView[]> {
    return this.read<WorkerView[]>('workers')
  }

  slots(): Promise<SlotView[]> {
    return this.read<SlotView[]>('slots')
  }

  proxies(): Promise<ProxyView[]> {
    return this.read<ProxyView[]>('proxies')
  }

  /** What the API has at a path below /api/v1. */
  async read<T>(what: string): Promise<T> {
    return JSON.parse(await readText(this.#url(what), { headers: this.#headers })) as T
  }

  /** Sends something to a path below /api/v1; throws unless it is taken. */
  async send(method: 'POST' | 'PUT', what: string, body: unknown): Promise<void> {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    await readText(this.#url(what), { method, headers, body: JSON.stringify(body) })
  }

  /** A counter (`name`, or `name{label="value"}`), summed over all processes that run now. */
  async counter(name: string): Promise<number> {
    const lines = (await this.metrics()).split('\n').filter((line) => line.startsWith(name))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  /** What every process that runs now serves to Prometheus, one after the other. */
  async metrics(): Promise<string> {
    const groups = await this.read<{ targets: string[]; labels: Record<string, string> }[]>('prometheus/targets')
    const texts = groups.flatMap(({ targets, labels }) =>
      targets.map(async (address) => `# ${JSON.stringify(labels)}\n${await readText(`http://${address}/metrics`)}`),
    )
    return (await Promise.all(texts)).join('\n')
  }

  get #headers(): Record<string, string> {
    const token = readFileSync(join(this.#dataDirectory, 'controller.token'), 'utf8').trim()
    return { authorization: `Bearer ${token}` }
  }

  #url(what: string): string {
    return `http://127.0.0.1:${this.#port}/api/v1/${what}`
  }
}

async function readText(url: string, request: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(5_000) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`)
  return text
}
