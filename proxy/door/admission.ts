import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import { normalOriginPattern } from '../../config/origin-pattern.ts'
import { canonicalAddress } from '../../platform/networks.ts'
import type { Door } from './door.ts'
import { AllowedOrigins } from './origins.ts'

const originRefused =
  'Origin is not in client.allowed_origins; without a list it must be that of Host, which under client.insecure must be a name of this machine'

/** Which requests for a connection are let in, on whichever transport: the proxy has room, the page is allowed to. */
export class Admission {
  readonly #door: Door
  readonly #env: Pick<Env, 'logger' | 'metrics'>
  readonly #origins: AllowedOrigins

  constructor(door: Door, { client }: Config, env: Pick<Env, 'logger' | 'metrics'>) {
    this.#door = door
    this.#env = env
    this.#origins = new AllowedOrigins(client.allowed_origins.map(normalOriginPattern), client.insecure)
  }

  /** Null for a request that may go on; any other has been answered. */
  check(request: FastifyRequest, reply: FastifyReply): FastifyReply | null {
    const { serving } = this.#door
    if (serving !== true) return this.refuse(reply, 503, 'not_ready', serving)
    const { origin, host } = request.headers
    const address = addressOf(request)
    if (!this.#origins.allows(origin, host)) {
      this.#env.logger.info({ origin, host, address }, 'origin refused')
      return this.refuse(reply, 403, 'origin', originRefused)
    }
    const reason = this.#door.refuses(address)
    if (reason === null) return null
    if (reason === 'connection_limit')
      return this.refuse(reply, 503, reason, 'this proxy has as many clients as it takes')
    return this.refuse(reply, 429, reason, 'too many connections from this address')
  }

  /** Answers a request that does not become a connection, and counts it by its code. */
  refuse(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
    this.#env.metrics.connectionsRefused.inc({ reason: code })
    if (status === 429 || status === 503) reply.header('retry-after', '1')
    return reply.code(status).send({ code, message })
  }
}

/** The client's own, canonical. */
export function addressOf(request: FastifyRequest): string {
  return canonicalAddress(request.raw.socket.remoteAddress ?? '')
}
