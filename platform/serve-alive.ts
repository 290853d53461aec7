import type { FastifyInstance } from 'fastify'
import { systemRandom } from './random.ts'

/** Where a process answers for as long as it lives. */
export const alivePath = '/alive'

/** Bytes by which a listener says who it is. */
const idBytes = 16

/** Who holds a wire to one process at once at most: controllers, of which there are few. */
export const wiresHeldMax = 16
/** How soon the system looks whether a machine that holds a wire is still there, ms. */
const idleMs = 60_000

/** Serves an answer that does not end before the process does. */
export function serveAlive(app: FastifyInstance): void {
  const id = systemRandom.hex(idBytes)
  let held = 0
  app.get(alivePath, (_request, reply) => {
    if (held >= wiresHeldMax) return reply.code(503).send({ status: 'as many hold a wire as may' })
    held++
    reply.hijack()
    reply.raw.once('close', () => held--)
    reply.raw.socket?.setKeepAlive(true, idleMs)
    reply.raw.writeHead(200, { 'content-type': 'text/plain' })
    reply.raw.write(id)
    return reply
  })
}
