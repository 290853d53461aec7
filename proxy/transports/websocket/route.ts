import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Env } from '../../../cluster/env.ts'
import type { Config } from '../../../config/config.ts'
import { disconnects } from '../../../protocol/client/codes.ts'
import { addressOf } from '../../door/admission.ts'
import type { Admission } from '../../door/admission.ts'
import type { Door } from '../../door/door.ts'
import type { Connection } from '../transport.ts'
import { handshakeProblem, subprotocolList } from './handshake.ts'
import { ClientWebSocket } from './socket.ts'
import type { SocketEvents } from './socket.ts'

/** The path that Centrifugo serves its clients at: its SDKs have it in their examples. */
export const websocketPath = '/connection/websocket'

const jsonSubprotocol = 'centrifuge-json'
const protobufSubprotocol = 'centrifuge-protobuf'

/** Fragments that one message may have: browsers and SDKs send one, and each costs far more memory than its bytes. */
export const fragmentsMax = 64
/** On the average of a whole message no network cuts it into pieces smaller than this. */
const pieceBytes = 256
/** Pieces that may wait for the rest of their frame. */
export const piecesMax = (messageBytes: number): number => fragmentsMax + Math.ceil(messageBytes / pieceBytes)

/** Clients' WebSockets, on an HTTP server that hands over what `asksForWebSocket`. */
export async function serveWebSockets(
  app: FastifyInstance,
  door: Door,
  admission: Admission,
  { client, websocket: limits }: Config,
  { logger }: Pick<Env, 'logger'>,
): Promise<void> {
  // The HTTP server lets go of a socket whose request asks for an upgrade, whatever comes of it; one that becomes a
  // WebSocket has its timeout taken off by the library.
  app.server.on('upgrade', (_request, socket: Socket) => {
    socket.setTimeout(client.stale_close_delay, destroy)
    // Until the library listens, nobody does; it closes, whatever the error.
    socket.on('error', ignore)
  })
  // By then the socket has sent why it closes (1009 for instance); cutting it off at once could lose that.
  const failed = (socket: Pick<Connection, 'terminate'>, error: Error) => {
    logger.debug({ err: error }, 'socket failed')
    door.cutLater(socket)
  }
  await app.register(websocket, {
    options: {
      maxPayload: limits.message_size_limit,
      maxFragments: fragmentsMax,
      maxBufferedChunks: piecesMax(limits.message_size_limit),
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
  const events: SocketEvents = {
    message(session, data, isBinary) {
      if (isBinary && session.phase !== 'closed') door.close(session, disconnects.badRequest)
      else door.received(session, data.toString())
    },
    control: (session) => door.control(session),
    failed,
    closed: (session) => door.gone(session),
  }
  const preValidation = async (request: FastifyRequest, reply: FastifyReply) =>
    admission.check(request, reply) ?? prepare(request, reply, admission)
  app.get(websocketPath, { websocket: true, preValidation }, (webSocket, request) => {
    const ws = webSocket as ClientWebSocket
    const query = request.query as Record<string, string | undefined>
    const format = query['format'] ?? query['cf_protocol'] ?? ''
    ws.begin(request.raw.socket)
    const session = door.open(ws, addressOf(request))
    ws.serve(session, events)
    if (ws.protocol === protobufSubprotocol || format === 'protobuf')
      door.close(session, disconnects.inappropriateProtocol)
  })
}

/** Makes a request that is let in ready for the library, or answers one that it could not take. */
function prepare(request: FastifyRequest, reply: FastifyReply, admission: Admission): FastifyReply | undefined {
  const problem = handshakeProblem(request.raw, request.ws)
  if (problem !== null) {
    reply.headers(problem.headers)
    return admission.refuse(reply, problem.status, problem.code, problem.message)
  }
  const subprotocols = subprotocolList(request.headers['sec-websocket-protocol'])
  if (subprotocols === undefined) delete request.raw.headers['sec-websocket-protocol']
  else request.raw.headers['sec-websocket-protocol'] = subprotocols
  // There will be no response; the socket would keep it, and the request with it.
  reply.raw.detachSocket(request.raw.socket)
  return undefined
}

/** Made once: every connection keeps them. */
const ignore = (): void => {}
function destroy(this: Socket): void {
  this.destroy()
}
