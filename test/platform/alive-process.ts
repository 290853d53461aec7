/** Serves `/alive` on the port that it is given; prints which, and a line for each who was answered. */
import fastify from 'fastify'
import { serveAlive } from '../../platform/serve-alive.ts'

const app = fastify()
app.addHook('onRequest', (_request, reply, next) => {
  const answered = () => (reply.raw.socket?.bytesWritten ? process.stdout.write('answered\n') : setImmediate(answered))
  answered()
  next()
})
serveAlive(app)
const address = await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
process.stdout.write(`${new URL(address).port}\n`)
