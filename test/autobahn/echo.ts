import type { AddressInfo } from 'node:net'
import { loadConfig } from '../../config/load.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import type { Behind } from '../../proxy/listener/listener.ts'
import { newIntake, newSession } from '../../proxy/sessions/session.ts'
import { closeGraceMs } from '../../proxy/sessions/sessions.ts'
import { websocketPath } from '../../proxy/transports/websocket/route.ts'
import { testEnv } from '../harness/env.ts'

/** Messages of the cases go up to 16 MB, in as many fragments as that has times 64 bytes. */
const messageBytesMax = 64 * 1024 * 1024

/**
 * What of a proxy its listener knows, for a proxy that says back what it hears: text goes through the proxy's own
 * frames and socket. Binary messages are not of the client protocol; those the echo answers by itself.
 */
function echoProxy(): Behind {
  return {
    serving: true,
    capacity: { sockets: Infinity, dropped: () => {} },
    refuses: () => null,
    open: (connection, address) =>
      newSession({ id: '', connection, address, connectBy: 0, intake: newIntake(0, 0, 0) }),
    received: ({ connection }, text) => connection.write(connection.transport.frame([text])),
    control: () => true,
    cutLater: (ws) => void setTimeout(() => ws.terminate(), closeGraceMs).unref(),
    close: () => {},
    gone: () => {},
  }
}

export interface EchoServer extends AsyncDisposable {
  url: string
}

/** Starts the proxy's public listener on a free port of the loopback, with an echo behind it. */
export async function startEcho(): Promise<EchoServer> {
  const { config } = loadConfig({ env: {}, flags: {}, cwd: import.meta.dirname })
  config.websocket.message_size_limit = messageBytesMax
  const env = testEnv()
  const listener = await buildListener(echoProxy(), config, env)
  const { websocketServer } = listener
  // These bounds are there against messages that no client sends; the cases send them.
  websocketServer.options.maxFragments = 0
  websocketServer.options.maxBufferedChunks = 0
  websocketServer.on('connection', (ws) => {
    ws.on('message', (data: Buffer, isBinary) => {
      if (isBinary) ws.send(data)
    })
  })
  await listener.listen({ host: '127.0.0.1', port: 0 })
  const { port } = listener.server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}${websocketPath}`,
    [Symbol.asyncDispose]: () => listener.close(),
  }
}
