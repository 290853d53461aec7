import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import type { Registry } from 'prom-client'
import { hostToAnnounce } from './addresses.ts'
import { httpConnectionsMax, httpPatienceMs, impatient } from './http-limits.ts'
import { serveAlive } from './serve-alive.ts'

/** A listener that serves, and where. */
export interface InternalListener {
  /** Where others reach it. */
  host: string
  /** The one that was taken, where 0 was asked for. */
  port: number
  /** Resolves when nobody is connected any more. */
  close(): Promise<void>
}

/** Where to listen, and what to serve. */
export interface InternalOptions {
  /** The interface to listen on. */
  host: string
  /** 0 takes a free port. */
  port: number
  /** The host that others are told; empty: the one it listens on, or that of an interface. */
  advertised: string
  /** What `/metrics` shows. */
  registry: Registry
  /** True while this process should get work; the reason why not goes to the caller otherwise. */
  ready: () => true | string
}

/** What every process serves to operators and never to clients: liveness, readiness, metrics. */
export async function startInternalListener(options: InternalOptions): Promise<InternalListener> {
  const app = fastify(impatient(httpPatienceMs))
  app.server.maxConnections = httpConnectionsMax
  for (const path of ['/health', '/healthz']) app.get(path, () => ({ status: 'ok' }))
  for (const path of ['/ready', '/readyz']) {
    app.get(path, (_request, reply) => {
      const ready = options.ready()
      return ready === true ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason: ready })
    })
  }
  app.get('/metrics', async (_request, reply) => {
    return reply.type(options.registry.contentType).send(await options.registry.metrics())
  })
  serveAlive(app)
  await app.listen({ host: options.host, port: options.port })
  const { address, port } = app.server.address() as AddressInfo
  return { host: hostToAnnounce(address, options.advertised), port, close: () => app.close() }
}
