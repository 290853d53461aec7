import type { Server } from 'node:http'
import type { BlockList, Socket } from 'node:net'
import type { Env } from '../../cluster/env.ts'
import { canonicalAddress, isIn } from '../../platform/networks.ts'
import { ProxyHeaderError } from './errors.ts'
import type { HeaderProblem } from './errors.ts'
import { parseProxyHeader } from './proxy-header.ts'

/** From a connection's beginning to the end of its header. A balancer sends it at once. */
export const headerDeadlineMs = 3_000

type Refusal = HeaderProblem | 'untrusted' | 'late'

/**
 * Lets connections into an HTTP server only behind a header of the PROXY protocol, from peers that are trusted to tell
 * the truth in it. From then on `socket.remoteAddress` is the client's own. Returns what ends the connections whose
 * header is not complete: the server itself does not know them yet.
 */
export function requireProxyProtocol(
  server: Server,
  { clock, logger, metrics }: Pick<Env, 'clock' | 'logger' | 'metrics'>,
  trusted: BlockList,
): () => void {
  const serve = server.listeners('connection') as ((this: Server, socket: Socket) => void)[]
  const unread = new Set<Socket>()
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const peer = canonicalAddress(socket.remoteAddress ?? '')
    const deadline = clock.after(headerDeadlineMs, () => refuse('late'))
    unread.add(socket)
    let seen = Buffer.alloc(0)

    const settle = (): void => {
      deadline.cancel()
      unread.delete(socket)
      socket.off('data', take).off('end', end).off('error', end).off('close', settle)
    }
    const refuse = (reason: Refusal): void => {
      settle()
      metrics.connectionsRefused.inc({ reason: `proxy_protocol_${reason}` })
      logger.info({ peer, reason }, 'connection without a good PROXY protocol header')
      // It may fail on its way out, and nobody listens any more.
      socket.on('error', () => {}).destroy()
    }
    const end = (): void => refuse('missing')
    const take = (data: Buffer): void => {
      seen = Buffer.concat([seen, data])
      try {
        const header = parseProxyHeader(seen)
        if (header === null) return
        settle()
        handOver(socket, header.address, seen.subarray(header.length))
      } catch (error) {
        if (!(error instanceof ProxyHeaderError)) throw error
        refuse(error.problem)
      }
    }
    if (!isIn(trusted, peer)) return refuse('untrusted')
    socket.on('data', take).on('end', end).on('error', end).on('close', settle)
  })

  function handOver(socket: Socket, address: string | null, rest: Buffer): void {
    // The server's own listener makes it flow again.
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    if (address !== null) Object.defineProperty(socket, 'remoteAddress', { value: address })
    for (const listener of serve) listener.call(server, socket)
    socket.resume()
  }

  return () => {
    for (const socket of unread) socket.destroy()
  }
}
