import type { Env } from '../../cluster/env.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { ClientError, CommandError } from '../../protocol/client/codes.ts'
import type { Namespaces } from '../access/namespaces.ts'
import type { Output } from '../sessions/output.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { ClientRequest, Outcome } from '../uplink/request.ts'
import type { Uplink } from '../uplink/uplink.ts'
import type { ClientWork } from '../uplink/work.ts'
import type { ReadGate } from './read-gate.ts'
import { refuse } from './refuse.ts'

/** A client's command that goes to the slot of its channel. */
export interface Forwarded {
  id: number
  reply: ClientWork['reply']
  method: string
  channel: string
  /** JSON. */
  data: string
  isRead: boolean
}

/** The parts that a command and its outcome pass. */
export interface ForwardingDeps {
  env: Env
  namespaces: Namespaces
  uplink: Uplink
  reads: ReadGate
  output: Output
  sessions: Sessions
}

/** The way of clients' commands to their slots, and of what came of them back to the clients. */
export class Forwarding {
  readonly #deps: ForwardingDeps

  constructor(deps: ForwardingDeps) {
    this.#deps = deps
  }

  /** Sends a command to its slot; the client hears what comes of it. */
  forward(session: Session, { id, reply, method, channel, data, isRead }: Forwarded): void {
    const { env, namespaces, uplink, reads, output } = this.#deps
    // Nothing is read for one who does not take what was read before.
    if (isRead && output.isFull(session)) return refuse(this.#deps, session, id, errors.tooManyRequests)
    const options = namespaces.optionsOf(channel)!
    const started = env.clock.monotonic()
    const request: ClientRequest = {
      method,
      channel,
      session: session.id,
      user: session.user,
      connInfo: session.connInfo,
      history: { size: options.history_size, ttlMs: options.history_ttl },
      payload: Buffer.from(data),
      isRead,
      isExempt: false,
      work: { for: 'client', session: session.id, id, reply, method, isRead, started },
    }
    const refused = isRead ? reads.send(session, request) : uplink.send(request)
    if (refused !== null && typeof refused !== 'number') refuse(this.#deps, session, id, refused)
  }

  /** What came of a command that was sent. */
  answered(work: ClientWork, outcome: Outcome): void {
    this.tell(work, outcome)
    const session = this.#deps.sessions.find(work.session)
    if (session && work.isRead) this.#deps.reads.ended(session, outcome.body.length)
  }

  /** Tells the client what came of its command, if it is still there. */
  tell({ session: sessionId, id, reply, method, isRead, started }: ClientWork, outcome: Outcome): void {
    const { env, output, sessions } = this.#deps
    const session = sessions.find(sessionId)
    if (!isRead && !outcome.error) env.metrics.published.inc({ destination_version: outcome.version })
    // By now it may be so; what was done is said whatever waits.
    const isFull = isRead && session !== undefined && output.isFull(session)
    const error = isFull ? errors.tooManyRequests : outcome.error
    if (session && error) output.send(session, { kind: 'error', id, error: clientError(error) })
    else if (session) output.send(session, { kind: 'reply', id, method: reply, result: resultOf(reply, outcome) })
    this.measure(method, outcome.version, error, started)
  }

  /** To be called after the reply was sent. */
  measure(method: string, version: string, error: CommandError | null, started: number): void {
    const { env, output } = this.#deps
    const { metrics, clock } = env
    const labels = { method, destination_version: version, result: error ? String(error.code) : 'ok' }
    metrics.commands.inc(labels)
    output.whenWritten(() => metrics.commandDuration.observe(labels, (clock.monotonic() - started) / 1000))
  }
}

function resultOf(reply: ClientWork['reply'], { body }: Outcome): string {
  return reply === 'rpc' ? `{"data":${body.toString()}}` : body.toString()
}

/** Codes of the worker as clients know them; only these two may be tried again as they are. */
function clientError(error: CommandError): ClientError {
  const temporary = error.code === errors.internal.code || error.code === errors.tooManyRequests.code
  return temporary ? { ...error, temporary } : error
}
