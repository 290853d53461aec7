import { isIP } from 'node:net'

/**
 * Names by which the API may be called. A page of a foreign site whose name was re-pointed to this machine would call it
 * by that name, and so be known; an address is never re-pointed, so any is good.
 */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>

  constructor(names: readonly string[]) {
    this.#names = new Set(['localhost', ...names].map((name) => name.toLowerCase()))
  }

  /** `host` as the header has it, with or without a port. */
  allows(host: string | undefined): boolean {
    const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host ?? '')?.[1]?.toLowerCase()
    if (name === undefined || name === '') return false
    return this.#names.has(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
  }
}
