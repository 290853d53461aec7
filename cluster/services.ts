import type { Logger } from 'pino'
import { hindranceWords, type OutageEvents } from '../platform/outages.ts'

/** What a process stands on. */
export type ServiceName = 'log' | 'store'

/** A start that waits says so after so long, unless an outage was said already, and then so often. */
export const waitSaidMs = { first: 1_000, every: 10_000 }

/** The log and the store as a process meets them: where they are, why they are away, and whether its start waits for them. */
export class Services {
  readonly #logger: Logger
  /** Without credentials. */
  readonly #urls = new Map<ServiceName, string>()
  /** Why what is at a URL is away, part by part, as it was said: an engine that is both is one, and said once. */
  readonly #reasons = new Map<string, Map<string, string>>()
  #awaited: readonly ServiceName[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Who is told by the adapter of a service: says each outage in the process's log, with the URL, and that it is over. */
  outages(service: ServiceName, url: string): OutageEvents {
    const plain = withoutSecrets(url)
    const reasons = this.#reasons.getOrInsertComputed(plain, () => new Map<string, string>())
    this.#urls.set(service, plain)
    return {
      away: (what, { message: reason, hindrance }) => {
        reasons.set(what, reason)
        const words = hindrance ? hindranceWords[hindrance] : 'does not answer'
        this.#logger.error({ url: plain, what, reason }, `the ${service} ${words}`)
      },
      back: (what) => {
        reasons.delete(what)
        this.#logger.info({ url: plain, what }, `the ${service} answers again`)
      },
    }
  }

  /** Does a part of the start that cannot end without these services. */
  async needed<T>(services: readonly ServiceName[], work: () => Promise<T>): Promise<T> {
    this.#awaited = services
    try {
      return await work()
    } finally {
      this.#awaited = []
    }
  }

  /** What the start waits for and why, such as `store mysql://host:3306/db (ECONNREFUSED)`; null when for nothing. */
  get waitsFor(): string | null {
    const away = this.#awaited.filter((service) => this.#reasonOf(service) !== undefined)
    const waits = away.length > 0 ? away : this.#awaited
    if (waits.length === 0) return null
    return waits
      .map((service) => `${service} ${this.#urls.get(service)} (${this.#reasonOf(service) ?? 'no answer yet'})`)
      .join(' and ')
  }

  /** True when the process's log says already why the start waits. */
  get isSaid(): boolean {
    return this.#awaited.some((service) => this.#reasonOf(service) !== undefined)
  }

  #reasonOf(service: ServiceName): string | undefined {
    const url = this.#urls.get(service)
    return url === undefined ? undefined : this.#reasons.get(url)?.values().next().value
  }
}

/** A URL of a service as it may be said: without the user and the options, among which are files. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/.*@/s, '//').replace(/\?.*$/s, '')
}
