import { setMaxListeners } from 'node:events'
import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

const keepAliveDelayMs = 10_000

/** kafkajs takes `host:port` apart at the first colon: an IPv6 address in brackets reaches it with dashes in their place. */
export function withoutColons(host: string): string {
  return host.startsWith('[') ? host.replaceAll(':', '-') : host
}

/** The host as a socket takes it; those of the brokers themselves, which Kafka names, are already. */
export function withColons(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1).replaceAll('-', ':') : host
}

/**
 * kafkajs's own sockets leave Nagle's algorithm on: a small request behind another one waits for an acknowledgement. These
 * end with `signal`, whatever kafkajs still waits for on them, and none begins after it.
 */
export function socketFactory(signal?: AbortSignal): ISocketFactory {
  if (signal) setMaxListeners(0, signal)
  return ({ host: written, port, ssl, onConnect }) => {
    const host = withColons(written)
    signal?.throwIfAborted()
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connect({ host, port }, onConnect)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelayMs)
    const end = (): void => void socket.destroy(signal?.reason as Error)
    signal?.addEventListener('abort', end)
    socket.once('close', () => signal?.removeEventListener('abort', end))
    return socket
  }
}
