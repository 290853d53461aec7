import { hash, timingSafeEqual } from 'node:crypto'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { StoreEnv } from '../../cluster/env.ts'
import { httpConnectionsMax, httpPatienceMs, impatient } from '../../platform/http-limits.ts'
import { StoreError } from '../../store/errors.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { proxyRoutes } from './proxies.ts'
import { slotRoutes } from './slots.ts'
import { statusRoutes } from './status.ts'
import { targetRoutes } from './targets.ts'
import { workerRoutes } from './workers.ts'

/** Who is let in, and what counts as ready. */
export interface ApiOptions {
  /** The bearer token. */
  token: string
  /** Workers that must be there before the cluster counts as ready. */
  workersWanted: number
}

/** The controller's HTTP interface. Everything but service discovery needs the bearer token. Does not listen yet. */
export function buildApi(control: ControlPlane, env: StoreEnv, { token, workersWanted }: ApiOptions): FastifyInstance {
  const app = fastify({
    ...impatient(httpPatienceMs),
    bodyLimit: 64 * 1024,
    // What does not fit is refused, not bent into shape.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  })

  app.server.maxConnections = httpConnectionsMax
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).send({ code: error.code, message: error.message })
    const isAway = error instanceof StoreError && error.code === 'unavailable'
    const status = isAway ? 503 : (error.statusCode ?? 500)
    if (status >= 500) env.logger.error({ err: error }, 'request failed')
    return reply
      .code(status)
      .send({ code: error.code ?? 'internal', message: status === 500 ? 'internal error' : error.message })
  })
  app.setNotFoundHandler(() => {
    throw new ApiError('not_found', 'no such path')
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    env.metrics.httpDuration.observe({ route, status: String(reply.statusCode) }, reply.elapsedTime / 1000)
    done()
  })

  app.get('/', (_request, reply) => reply.type('text/plain').send(greeting))
  targetRoutes(app, control)
  app.register((guarded, _options, done) => {
    guarded.addHook('onRequest', (request, _reply, next) => {
      const isLetIn = isAuthorized(request.headers.authorization, token)
      next(isLetIn ? undefined : new ApiError('unauthorized', 'bearer token required'))
    })
    workerRoutes(guarded, control)
    proxyRoutes(guarded, control)
    slotRoutes(guarded, env)
    statusRoutes(guarded, control, workersWanted)
    done()
  })
  return app
}

/** Compares digests, so that neither content nor length of the token shows in the time it takes. */
function isAuthorized(header: string | undefined, token: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`))
}

/** For people who open the address in a browser. */
const greeting = `This is the controller of a Holdfast cluster.

Ask it with the command line:   holdfast workers | slots | proxies | drain worker ID
or over HTTP, with the bearer token of the data directory:   GET /api/v1/workers
`
