import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'

/** The floor of fan-out: what is received goes to every client of the room, and nothing else is done. */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
const rooms = new Map<string, Set<WebSocket>>()
server.on('connection', (client, request) => {
  const name = request.url ?? ''
  const room = rooms.getOrInsertComputed(name, () => new Set())
  room.add(client)
  client.on('message', (message: Buffer) => {
    for (const each of room) each.send(message, { binary: false })
  })
  client.on('close', () => room.delete(client))
})
server.on('listening', () => process.send!((server.address() as AddressInfo).port))
process.on('message', () => process.send!(process.memoryUsage().heapUsed))
process.on('disconnect', () => process.exit())
