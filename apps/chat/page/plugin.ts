import { BlockList, isIPv6 } from 'node:net'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SignJWT } from 'jose'
import { isLoopbackHost } from '../../../platform/loopback.ts'
import type { PageOptions } from '../../../protocol/app/page.ts'

/** Longest name that a person can sign in with, in UTF-16 code units. */
export const nameLengthMax = 64
/** How long a token of the page is valid; the page asks for a new one by itself. */
export const tokenLifetimeSeconds = 3600

const staticDirectory = fileURLToPath(new URL('static/', import.meta.url))
// The SDK's exports do not name its browser bundle, so its place is found from what they do name.
const sdkDirectory = fileURLToPath(new URL('../dist/', import.meta.resolve('centrifuge')))

const securityHeaders = {
  // 'self' in connect-src covers the WebSocket of the same host and port.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** What reverse proxies add: then the request was made elsewhere, whatever `Host` they set. */
const forwardingHeader = /^(x-forwarded-.*|forwarded|via|x-real-ip)$/

/**
 * True for a request that a program on this machine made, for a page that this machine serves. The peer's address
 * alone would not do: a page of another name that leads here says so in Host, a foreign page that merely calls us names
 * itself in Origin, and a reverse proxy leaves its marks.
 */
function isLocal(request: FastifyRequest): boolean {
  const { host, origin } = request.headers
  const peer = request.socket.remoteAddress
  if (peer === undefined || !loopback.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4')) return false
  if (!isLoopbackHost(host) || Object.keys(request.headers).some((name) => forwardingHeader.test(name))) return false
  return origin === undefined || URL.parse(origin)?.host === host.toLowerCase()
}

/** The name in a request's body, trimmed, or null when nobody can be called that. */
function readName(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('name' in body) || typeof body.name !== 'string') return null
  const name = body.name.trim()
  return name.length >= 1 && name.length <= nameLengthMax && name.isWellFormed() && !/\p{Cc}/u.test(name) ? name : null
}

/**
 * The chat page that `holdfast dev` serves: static files, the SDK's browser bundle as npm brought it, and
 * `POST /page/token` `{name}` → `{token}`, answered to this machine only. Errors: 403 `not_local`, 400 `bad_name`, and
 * fastify's own for a body that is no JSON, all as `{code, message}`.
 */
export async function page(app: FastifyInstance, options: PageOptions): Promise<void> {
  const secret = new TextEncoder().encode(options.secret)
  const claimsOf = options.claims ?? ((sub) => ({ sub }))

  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(securityHeaders)
  })

  // Without the wildcard only files that exist now get a route, and every other path stays the proxy's own.
  await app.register(fastifyStatic, { root: staticDirectory, wildcard: false })

  app.get('/assets/centrifuge.js', (_request, reply) => reply.sendFile('centrifuge.js', sdkDirectory))

  app.post('/page/token', {
    onRequest: async (request, reply) => {
      if (!isLocal(request))
        await reply.code(403).send({ code: 'not_local', message: 'tokens are given to pages on this machine only' })
    },
    errorHandler: (error, _request, reply) => {
      void reply.code(error.statusCode ?? 500).send({ code: error.code, message: error.message })
    },
    handler: async (request, reply) => {
      const name = readName(request.body)
      if (name === null) {
        const message = `a name has 1 to ${nameLengthMax} characters and no control characters`
        return reply.code(400).send({ code: 'bad_name', message })
      }
      const token = await new SignJWT(claimsOf(name))
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuedAt()
        .setExpirationTime(`${tokenLifetimeSeconds}s`)
        .sign(secret)
      return reply.header('cache-control', 'no-store').send({ token })
    },
  })
}
