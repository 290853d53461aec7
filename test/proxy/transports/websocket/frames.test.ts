/** Proves that a frame is laid out as RFC 6455 has it: a WebSocket library reads what was written. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { textFrame } from '../../../../proxy/transports/websocket/frames.ts'
import { ClientWebSocket } from '../../../../proxy/transports/websocket/socket.ts'

void t.test('a frame is what a WebSocket library reads, whatever its length', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, WebSocket: ClientWebSocket })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const connection = once(server, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(() => client.terminate())
  const [socket, request] = (await connection) as [ClientWebSocket, IncomingMessage]
  socket.begin(request.socket)
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
    for (const unit of ['x', 'é', '😀']) {
      const text = unit.repeat(length / Buffer.byteLength(unit))
      const message = once(client, 'message')
      socket.write(textFrame(text))
      const [data, isBinary] = (await message) as [Buffer, boolean]
      t.ok(!isBinary && data.toString() === text, `${Buffer.byteLength(text)} bytes`)
    }
  }
})
