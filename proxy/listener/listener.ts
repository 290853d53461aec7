import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Env } from '../../cluster/env.ts'
import type { Config } from '../../config/config.ts'
import { impatient } from '../../platform/http-limits.ts'
import { parseNetworks } from '../../platform/networks.ts'
import { Admission } from '../door/admission.ts'
import type { Door } from '../door/door.ts'
import type { Capacity } from '../sessions/capacity.ts'
import { asksForWebSocket } from '../transports/websocket/handshake.ts'
import { serveWebSockets } from '../transports/websocket/route.ts'
import { requireProxyProtocol } from './proxy-protocol.ts'

/** A listener reaches neither log nor store. */
export type ListenerEnv = Pick<Env, 'clock' | 'logger' | 'metrics'>

/** A proxy as its public listener knows it. */
export interface Behind extends Door {
  readonly capacity: Pick<Capacity, 'sockets' | 'dropped'>
}

/** The public listener, with all transports. Does not listen yet. */
export async function buildListener(proxy: Behind, config: Config, env: ListenerEnv): Promise<FastifyInstance> {
  // Whoever connects has as long for its request, and between two of them, as a session has to authenticate itself.
  const limits = impatient(config.client.stale_close_delay)
  const app = fastify({ ...limits, http: { ...limits.http, shouldUpgradeCallback: asksForWebSocket } })
  if (Number.isFinite(proxy.capacity.sockets)) {
    app.server.maxConnections = proxy.capacity.sockets
    app.server.on('drop', () => proxy.capacity.dropped())
  }
  if (config.http_server.proxy_protocol) {
    const trusted = parseNetworks(config.http_server.proxy_protocol_trusted)
    const endUnread = requireProxyProtocol(app.server, env, trusted)
    app.addHook('preClose', async () => endUnread())
  }
  await serveWebSockets(app, proxy, new Admission(proxy, config, env), config, env)
  return app
}
