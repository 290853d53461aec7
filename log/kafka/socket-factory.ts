import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

const keepAliveDelayMs = 10_000

/** kafkajs's own sockets leave Nagle's algorithm on: a small request behind another one waits for an acknowledgement. */
export function socketFactory(): ISocketFactory {
  return ({ host, port, ssl, onConnect }) => {
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connect({ host, port }, onConnect)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelayMs)
    return socket
  }
}
