import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** What a neighbour does that nobody wants to have. */
export type NuisanceKind = 'history' | 'flood' | 'fragments' | 'names' | 'busy'

export interface NuisanceOrder {
  kind: NuisanceKind
  url: string
  /** One for each client that it may connect. */
  tokens: string[]
}

/** Answers that a nuisance got, and its connections that the server ended. */
export interface NuisanceReport {
  answered: number
  /** Errors by code. */
  refused: Record<string, number>
  closed: number
}

/** A nuisance in a process of its own: it takes its processor time from everybody, but none from those who measure. */
export class Nuisance {
  readonly #child: ChildProcess = fork(new URL('nuisance-process.ts', import.meta.url), { stdio: 'inherit' })

  private constructor() {}

  /** Resolves when it has begun. */
  static async start(order: NuisanceOrder): Promise<Nuisance> {
    const nuisance = new Nuisance()
    nuisance.#child.send(order)
    await once(nuisance.#child, 'message')
    return nuisance
  }

  async stop(): Promise<NuisanceReport> {
    this.#child.send('stop')
    const [report] = (await once(this.#child, 'message')) as [NuisanceReport]
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
    return report
  }
}
