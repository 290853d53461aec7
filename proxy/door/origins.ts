import { isHostOf } from '../../config/origin-pattern.ts'
import { isLoopbackHost } from '../../platform/loopback.ts'

/**
 * Longest `Origin` that is looked at, in characters: a scheme, the longest host name there is (253) and a port have room
 * twice. What is longer is refused unread.
 */
export const originLengthMax = 600

/** Which pages may connect: those of `client.allowed_origins`, or without any those that the proxy itself serves. */
export class AllowedOrigins {
  readonly #patterns: readonly (readonly string[])[]
  readonly #onlyLocal: boolean

  /**
   * Patterns as `normalOriginPattern` writes them; `*` stands for any run of characters, also for none. With `onlyLocal`
   * whoever is not named by one must call this machine by a name of its own.
   */
  constructor(patterns: readonly string[], onlyLocal = false) {
    this.#patterns = patterns.map((pattern) => pattern.toLowerCase().split('*'))
    this.#onlyLocal = onlyLocal
  }

  /** `origin` and `host` as the request's headers have them. Requests without an origin do not come from a browser. */
  allows(origin: string | undefined, host: string | undefined): boolean {
    if (origin !== undefined && origin.length > originLengthMax) return false
    if (origin !== undefined && this.#patterns.length > 0) {
      const lower = origin.toLowerCase()
      return this.#patterns.some((parts) => isRunOf(parts, lower))
    }
    if (this.#onlyLocal && !isLoopbackHost(host)) return false
    return origin === undefined || isOfHost(origin, host)
  }
}

function isOfHost(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin)
  return url !== null && url.host !== '' && host !== undefined && isHostOf(url, host)
}

/**
 * True when `text` is the parts in their order with anything between them. Each part is taken where it is first found:
 * what fits at all fits that way, so nothing is ever tried again.
 */
function isRunOf(parts: readonly string[], text: string): boolean {
  const [first, last] = [parts[0]!, parts.at(-1)!]
  if (parts.length === 1) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - at >= last.length && text.endsWith(last)
}
