import type { Server } from 'node:http'
import type { FastifyHttpOptions } from 'fastify'

/** Time that a connection of the controller's API or an internal listener has for a request, and between two. */
export const httpPatienceMs = 10_000
/** Connections that either has at once: people, probes and scrapers need a few. */
export const httpConnectionsMax = 512

/** How often connections are looked at; what the patience is precise to. */
const checkMs = 500

/** Options of a server that waits for nobody longer than `patienceMs`, whether nothing comes, or half of a request. */
export function impatient(patienceMs: number) {
  return {
    forceCloseConnections: true,
    http: { headersTimeout: patienceMs, requestTimeout: patienceMs, connectionsCheckingInterval: checkMs },
    requestTimeout: patienceMs,
    keepAliveTimeout: patienceMs,
  } satisfies FastifyHttpOptions<Server>
}
