import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { ServiceError } from './errors.ts'

/**
 * Below the ports that systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere). One of those
 * could be taken by any client while its server restarts, even by a client that connects to itself.
 */
export const portRange = { first: 20_000, last: 32_000 }

/** Ports that are tried before giving up. */
export const portTriesMax = 100

/** True when 127.0.0.1 has nobody on that port. */
async function isPortFree(port: number): Promise<boolean> {
  const server = createServer().listen({ host: '127.0.0.1', port })
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

/** Ports that this process got: two servers of it that start together get different ones. */
const given = new Set<number>()

/** A free port of 127.0.0.1 that stays free while a server restarts on it; `wanted` where that one is free. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && (await isPortFree(wanted))) return wanted
  for (let tries = 0; tries < portTriesMax; tries++) {
    const port = randomInt(portRange.first, portRange.last)
    if (given.has(port) || !(await isPortFree(port))) continue
    given.add(port)
    return port
  }
  throw new ServiceError(`no free port of 127.0.0.1 from ${portRange.first} to ${portRange.last}`)
}
