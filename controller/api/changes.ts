import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify'
import type { Store } from '../../store/store.ts'
import type { DocumentWrite } from '../../store/store.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on a route that is no GET and changes nothing all the same: whoever may read may ask. */
    changesNothing?: true
  }
}

/** What is to be written, and what the audit log is to say of it. */
export interface Change {
  /** A word or two: what is done. */
  what: string
  /** To what. */
  target: string
  /** What is there, as JSON; null where there is nothing. */
  before: unknown
  /** What will be there. */
  after: unknown
  /** Documents that are written in the same transaction; none for what is not kept as one. */
  writes?: DocumentWrite[]
}

/** The one way of every change that is asked for over the API: by a leader, in its term, with an entry in the audit log. */
export class Changes {
  readonly #control: Pick<ControlPlane, 'isLeader' | 'holder' | 'term'>
  readonly #store: Pick<Store, 'putDocuments'>

  constructor(control: Pick<ControlPlane, 'isLeader' | 'holder' | 'term'>, store: Pick<Store, 'putDocuments'>) {
    this.#control = control
    this.#store = store
  }

  /** Holds the routes of `app` that change something to it: they need the write role, and a controller that leads. */
  guard(app: FastifyInstance): void {
    app.addHook('onRequest', (request, _reply, next) => {
      const mayAsk = isRead(request) || request.caller?.role === 'write'
      next(mayAsk ? undefined : new ApiError('read_only', 'this token only reads'))
    })
    app.addHook('preHandler', (request, _reply, next) => {
      next(isRead(request) || this.#control.isLeader ? undefined : this.#notLeading())
    })
  }

  /**
   * Writes what is to be kept, and who did it. Whatever else is to be done comes after it: what was done has its entry.
   * Throws ApiError `changed_meanwhile` when a document is not as it was seen, and `not_leading`.
   */
  async make({ caller }: Pick<FastifyRequest, 'caller'>, change: Change): Promise<void> {
    if (!this.#control.isLeader) throw this.#notLeading()
    const { what, target, before, after, writes = [] } = change
    const result = await this.#store.putDocuments({
      writes,
      term: this.#control.term,
      audit: { who: caller?.who ?? '', what, target, before: textOf(before), after: textOf(after) },
    })
    if (result === 'fenced') throw this.#notLeading()
    if (result === 'conflict')
      throw new ApiError('changed_meanwhile', `${target} was changed meanwhile: look at it and try again`)
  }

  #notLeading(): ApiError {
    const { holder } = this.#control
    const who = holder === null ? 'no controller is known to lead right now' : `controller ${holder.leader} leads`
    return new ApiError('not_leading', `${who}, and this one does not: ask that one, or try again`)
  }
}

function isRead({ method, routeOptions }: FastifyRequest): boolean {
  return changesNothing([method], routeOptions.config)
}

/** Whether a route with these methods only looks: then the token that may only read is enough. */
export function changesNothing(methods: readonly string[], config: FastifyContextConfig | undefined): boolean {
  return config?.changesNothing === true || methods.every((method) => method === 'GET' || method === 'HEAD')
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}
