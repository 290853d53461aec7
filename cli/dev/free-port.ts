import { once } from 'node:events'
import { createServer } from 'node:net'

/** Tries to listen; resolves with the port (the one found, for 0), rejects as listen does. */
export async function tryPort(host: string, port: number): Promise<number> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : port
}
