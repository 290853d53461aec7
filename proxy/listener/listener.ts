import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Config } from '../../config/config.ts'
import { impatient } from '../../platform/http-limits.ts'
import { canonicalAddress, parseNetworks } from '../../platform/networks.ts'
import { normalOriginPattern } from '../../config/origin-pattern.ts'
import type { Env } from '../../cluster/env.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import { asksForWebSocket, handshakeProblem, subprotocolList } from '../transports/websocket/handshake.ts'
import { AllowedOrigins } from './origins.ts'
import type { Proxy } from '../proxy.ts'
import { requireProxyProtocol } from './proxy-protocol.ts'
import { ClientWebSocket } from '../transports/websocket/socket.ts'
import type { SocketEvents } from '../transports/websocket/socket.ts'
import type { Connection } from '../transports/transport.ts'

export const websocketPath = '/connection/websocket'

const jsonSubprotocol = 'centrifuge-json'
const protobufSubprotocol = 'centrifuge-protobuf'

/** Fragments that one message may have: browsers and SDKs send one, and each costs far more memory than its bytes. */
export const fragmentsMax = 64
/** On the average of a whole message no network cuts it into pieces smaller than this. */
const pieceBytes = 256
/** Pieces that may wait for the rest of their frame. */
export const piecesMax = (messageBytes: number): number => fragmentsMax + Math.ceil(messageBytes / pieceBytes)

export type ListenerEnv = Pick<Env, 'clock' | 'logger' | 'metrics'>

/** The public listener: clients' WebSockets. Does not listen yet. */
export async function buildListener(proxy: Proxy, config: Config, env: ListenerEnv): Promise<FastifyInstance> {
  const { logger, metrics } = env
  // Whoever connects has as long for its request, and between two of them, as a session has to authenticate itself.
  const patienceMs = config.client.stale_close_delay
  const limits = impatient(patienceMs)
  const app = fastify({ ...limits, http: { ...limits.http, shouldUpgradeCallback: asksForWebSocket } })
  if (Number.isFinite(proxy.capacity.sockets)) {
    app.server.maxConnections = proxy.capacity.sockets
    app.server.on('drop', () => proxy.capacity.dropped())
  }
  // The HTTP server lets go of a socket whose request asks for an upgrade, whatever comes of it; one that becomes a
  // WebSocket has its timeout taken off by the library.
  app.server.on('upgrade', (_request, socket: Socket) => {
    socket.setTimeout(patienceMs, destroy)
    // Until the library listens, nobody does; it closes, whatever the error.
    socket.on('error', ignore)
  })
  if (config.http_server.proxy_protocol) {
    const trusted = parseNetworks(config.http_server.proxy_protocol_trusted)
    const endUnread = requireProxyProtocol(app.server, env, trusted)
    app.addHook('preClose', async () => endUnread())
  }
  // By then the socket has sent why it closes (1009 for instance); cutting it off at once could lose that.
  const failed = (socket: Pick<Connection, 'terminate'>, error: Error) => {
    logger.debug({ err: error }, 'socket failed')
    proxy.cutLater(socket)
  }
  await app.register(websocket, {
    options: {
      maxPayload: config.websocket.message_size_limit,
      maxFragments: fragmentsMax,
      maxBufferedChunks: piecesMax(config.websocket.message_size_limit),
      perMessageDeflate: false,
      // Sockets do, as far as their session's rate goes.
      autoPong: false,
      clientTracking: false,
      // The plugin's types want the whole library there.
      WebSocket: ClientWebSocket as never,
      handleProtocols: (offered: Set<string>) =>
        [jsonSubprotocol, protobufSubprotocol].find((protocol) => offered.has(protocol)) ?? false,
    },
    errorHandler: (error, ws) => failed(ws, error),
    // The proxy closes its sessions itself, with a code that tells clients to come back.
    preClose: (done: () => void) => done(),
  })
  const { allowed_origins: allowed, insecure } = config.client
  const origins = new AllowedOrigins(allowed.map(normalOriginPattern), insecure)
  const events: SocketEvents = {
    message(session, data, isBinary) {
      if (isBinary && session.phase !== 'closed') proxy.sessions.close(session, disconnects.badRequest)
      else proxy.frame(session, data.toString())
    },
    control: (session) => proxy.control(session),
    failed,
    closed: (session) => proxy.sessions.gone(session),
  }
  app.get(
    websocketPath,
    {
      websocket: true,
      preValidation: async (request, reply) => {
        const refuse = (status: number, code: string, message: string) => {
          metrics.connectionsRefused.inc({ reason: code })
          if (status === 429 || status === 503) reply.header('retry-after', '1')
          return reply.code(status).send({ code, message })
        }
        if (proxy.serving !== true) return refuse(503, 'not_ready', proxy.serving)
        const { origin, host } = request.headers
        const address = addressOf(request)
        if (!origins.allows(origin, host)) {
          logger.info({ origin, host, address }, 'origin refused')
          return refuse(403, 'origin', originRefused)
        }
        const reason = proxy.refuses(address)
        if (reason === 'connection_limit') return refuse(503, reason, 'this proxy has as many clients as it takes')
        if (reason !== null) return refuse(429, reason, 'too many connections from this address')
        const problem = handshakeProblem(request.raw, request.ws)
        if (problem !== null) {
          reply.headers(problem.headers)
          return refuse(problem.status, problem.code, problem.message)
        }
        const subprotocols = subprotocolList(request.headers['sec-websocket-protocol'])
        if (subprotocols === undefined) delete request.raw.headers['sec-websocket-protocol']
        else request.raw.headers['sec-websocket-protocol'] = subprotocols
        // There will be no response; the socket would keep it, and the request with it.
        reply.raw.detachSocket(request.raw.socket)
      },
    },
    (webSocket, request) => {
      const ws = webSocket as ClientWebSocket
      const query = request.query as Record<string, string | undefined>
      const format = query['format'] ?? query['cf_protocol'] ?? ''
      ws.begin(request.raw.socket)
      const session = proxy.open(ws, addressOf(request))
      ws.serve(session, events)
      if (ws.protocol === protobufSubprotocol || format === 'protobuf')
        proxy.sessions.close(session, disconnects.inappropriateProtocol)
    },
  )
  return app
}

const originRefused =
  'Origin is not in client.allowed_origins; without a list it must be that of Host, which under client.insecure must be a name of this machine'

/** Made once: every connection keeps them. */
const ignore = (): void => {}
function destroy(this: Socket): void {
  this.destroy()
}

const addressOf = (request: FastifyRequest): string => canonicalAddress(request.raw.socket.remoteAddress ?? '')
