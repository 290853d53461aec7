import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { BenchCluster } from './cluster.ts'

export type PublishersOrder =
  | { kind: 'begin'; url: string; clients: { token: string; room: string }[]; perSecond: number }
  | { kind: 'phase'; name: string }
  | { kind: 'end' }

/** What clients saw while a phase lasted. */
export interface Phase {
  /** From publish to ack, ms. */
  acks: number[]
  /** The longest time between two acks of a room, ms: one for each room and each time that the phase was entered. */
  gaps: number[]
}

export interface PublishersReport {
  phases: Record<string, Phase>
  published: number
  /** Publishes that got an error, or none because their socket closed. */
  failed: number
  /** Sockets that closed though nobody wanted it. */
  closed: number
  /** Publications that were acknowledged and did not come back to their room. */
  lost: number
}

/** So many processes share the rate and the rooms. */
const processes = 2

/** Clients in processes of their own that publish at a steady rate, each in its room, until they are told to end. */
export class Publishers implements AsyncDisposable {
  readonly #children = Array.from({ length: processes }, () => {
    const child = fork(new URL('publishers-process.ts', import.meta.url), { stdio: 'inherit' })
    return { child, ended: once(child, 'exit').then(() => [{ error: 'a publisher ended' }]) }
  })

  private constructor() {}

  /** Resolves when all are connected and publish. */
  static async start(cluster: BenchCluster, rooms: string[], perSecond: number): Promise<Publishers> {
    const url = cluster.websocketUrl
    const clients = await Promise.all(rooms.map(async (room) => ({ room, token: await cluster.token(`user-${room}`) })))
    const publishers = new Publishers()
    await publishers.#orders((at) => ({
      kind: 'begin',
      url,
      clients: clients.filter((_, index) => index % processes === at),
      perSecond: perSecond / processes,
    }))
    return publishers
  }

  /** What is published from now on, and the acks that come, belong to the phase of this name. */
  async phase(name: string): Promise<void> {
    await this.#orders(() => ({ kind: 'phase', name }))
  }

  /** Stops publishing and waits for what is under way. */
  async end(): Promise<PublishersReport> {
    const reports = (await this.#orders(() => ({ kind: 'end' }))) as PublishersReport[]
    const sum = (of: 'published' | 'failed' | 'closed' | 'lost') => reports.reduce((total, each) => total + each[of], 0)
    const phases = Object.keys(reports[0]!.phases).map((name): [string, Phase] => {
      const [acks, gaps] = [
        reports.flatMap((each) => each.phases[name]!.acks),
        reports.flatMap((each) => each.phases[name]!.gaps),
      ]
      return [name, { acks, gaps }]
    })
    return {
      phases: Object.fromEntries(phases),
      published: sum('published'),
      failed: sum('failed'),
      closed: sum('closed'),
      lost: sum('lost'),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#children) child.kill()
    await Promise.all(this.#children.map(({ ended }) => ended))
  }

  #orders(orderOf: (index: number) => PublishersOrder): Promise<unknown[]> {
    return Promise.all(
      this.#children.map(async ({ child, ended }, index) => {
        child.send(orderOf(index))
        const [{ result, error }] = (await Promise.race([once(child, 'message'), ended])) as [
          { result?: unknown; error?: string },
        ]
        if (error !== undefined) throw new Error(error)
        return result
      }),
    )
  }
}
