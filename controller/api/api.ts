import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { StoreEnv } from '../../cluster/env.ts'
import { httpConnectionsMax, httpPatienceMs, impatient } from '../../platform/http-limits.ts'
import { StoreError } from '../../store/errors.ts'
import { callerHeader, callerOf, roleOf } from './access.ts'
import type { Tokens } from './access.ts'
import { auditRoutes } from './audit.ts'
import { Changes } from './changes.ts'
import { configRoutes } from './config.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { eventRoutes } from './events.ts'
import { faultRoutes } from './faults.ts'
import { AllowedHosts } from './hosts.ts'
import { describeApi, openapiRoute } from './openapi.ts'
import { proxyRoutes } from './proxies.ts'
import { resourceRoutes } from './resources.ts'
import { rolloutRoutes } from './rollouts.ts'
import { slotRoutes } from './slots.ts'
import { statusRoutes } from './status.ts'
import type { StatusOptions } from './status.ts'
import { targetRoutes } from './targets.ts'
import { trafficRoutes } from './traffic.ts'
import { versionDrainRoutes } from './version-drains.ts'
import { workerRoutes } from './workers.ts'

/** Who is let in, and what counts as ready. */
export interface ApiOptions extends StatusOptions {
  tokens: Tokens
  /** Names by which it may be called, beside addresses and localhost. */
  hosts: readonly string[]
}

/** The controller's HTTP interface. Everything but service discovery needs a bearer token. Does not listen yet. */
export function buildApi(control: ControlPlane, env: StoreEnv, options: ApiOptions): FastifyInstance {
  const { tokens } = options
  const hosts = new AllowedHosts(options.hosts)
  const changes = new Changes(control, env.store)
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
    const { url: route = 'none', config } = request.routeOptions
    if (config.isStream !== true)
      env.metrics.httpDuration.observe({ route, status: String(reply.statusCode) }, reply.elapsedTime / 1000)
    done()
  })

  app.decorateRequest('caller', null)
  app.addHook('onRequest', (request, _reply, next) => {
    const isCalledRight = hosts.allows(request.headers.host)
    next(isCalledRight ? undefined : new ApiError('foreign_host', foreignHost))
  })
  // What is sent is what was meant: schemas of answers describe them, and tests hold them to it.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  describeApi(app)
  app.register((open, _options, done) => {
    open.get('/', { schema: { hide: true } }, (_request, reply) => reply.type('text/plain').send(greeting))
    targetRoutes(open, control)
    done()
  })
  app.register((guarded, _options, done) => {
    guarded.addHook('onRequest', (request, _reply, next) => {
      const role = roleOf(request.headers.authorization, tokens)
      if (role === null) return next(new ApiError('unauthorized', 'bearer token required'))
      request.caller = callerOf(role, request.headers[callerHeader])
      next()
    })
    changes.guard(guarded)
    workerRoutes(guarded, control, changes)
    proxyRoutes(guarded, control)
    slotRoutes(guarded, env, changes)
    trafficRoutes(guarded, control)
    versionDrainRoutes(guarded, control, changes)
    resourceRoutes(guarded, control.resources)
    eventRoutes(guarded, control.events, env)
    openapiRoute(guarded)
    configRoutes(guarded, control)
    auditRoutes(guarded, env.store)
    faultRoutes(guarded, control)
    rolloutRoutes(guarded, control, changes)
    statusRoutes(guarded, control, options)
    done()
  })
  return app
}

const foreignHost =
  'the controller goes by other names: call it by its address, or add this one to controller.allowed_hosts'

/** For people who open the address in a browser. */
const greeting = `This is the controller of a Holdfast cluster.

Ask it with the command line:   holdfast workers | slots | proxies | drain worker ID
or over HTTP, with the bearer token of the data directory:   GET /api/v1/workers
`
