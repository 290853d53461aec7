/**
 * The chat page's server half: what it serves, under which headers, and that a token is given to this machine only, for
 * a name somebody can be called, and is one that the proxy's check accepts.
 */
import { connect } from 'node:net'
import fastify from 'fastify'
import { jwtVerify } from 'jose'
import t from 'tap'
import { nameLengthMax, page, tokenLifetimeSeconds } from '../../../../apps/chat/page/plugin.ts'

const secret = 'short'
const key = new TextEncoder().encode(secret)

async function startPage() {
  const app = fastify()
  await app.register(page, { secret, dev: true })
  return app
}

interface TokenRequest {
  body?: unknown
  host?: string
  origin?: string
  remoteAddress?: string
}

void t.test('the token endpoint', async (t) => {
  const app = await startPage()
  t.teardown(() => app.close())
  const post = ({
    body = { name: 'Ada' },
    host = '127.0.0.1:8000',
    origin,
    remoteAddress = '127.0.0.1',
  }: TokenRequest) =>
    app.inject({
      method: 'POST',
      url: '/page/token',
      remoteAddress,
      headers: { host, ...(origin !== undefined && { origin }), 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    })

  void t.test('signs a token for the trimmed name, for an hour', async (t) => {
    const answer = await post({ body: { name: '  Ada Lovelace ' } })
    t.equal(answer.statusCode, 200)
    t.equal(answer.headers['cache-control'], 'no-store')
    const { payload, protectedHeader } = await jwtVerify(answer.json().token, key, { algorithms: ['HS256'] })
    t.equal(protectedHeader.alg, 'HS256')
    t.equal(payload.sub, 'Ada Lovelace')
    t.equal((payload.exp ?? 0) - (payload.iat ?? 0), tokenLifetimeSeconds)
  })

  void t.test('says what the configuration asks of tokens', async (t) => {
    const other = fastify()
    t.teardown(() => other.close())
    await other.register(page, { secret, dev: true, claims: (user) => ({ uid: user, aud: 'chat' }) })
    const headers = { host: '127.0.0.1:8000', 'content-type': 'application/json' }
    const answer = await other.inject({ method: 'POST', url: '/page/token', headers, payload: '{"name":"Ada"}' })
    t.match((await jwtVerify(answer.json().token, key)).payload, { uid: 'Ada', aud: 'chat', sub: undefined })
  })

  void t.test('takes names of 1 to 64 characters without control characters', async (t) => {
    for (const name of ['a', 'x'.repeat(nameLengthMax), ` ${'x'.repeat(nameLengthMax)} `, 'Zoë 🦊', '<b>']) {
      t.equal((await post({ body: { name } })).statusCode, 200, JSON.stringify(name))
    }
    const bad = [
      '',
      '   ',
      'x'.repeat(nameLengthMax + 1),
      'a\nb',
      'a\u0000',
      'a\u0085b',
      '\ud800',
      7,
      null,
      undefined,
      ['a'],
    ]
    for (const name of bad) {
      const answer = await post({ body: { name } })
      t.equal(answer.statusCode, 400, JSON.stringify(name))
      t.match(answer.json(), { code: 'bad_name', message: /1 to 64 characters/ })
    }
    for (const body of [null, 'Ada', ['Ada']]) t.equal((await post({ body })).json().code, 'bad_name')
  })

  void t.test('answers a body that is no JSON with one clear error', async (t) => {
    const headers = { host: 'localhost', 'content-type': 'application/json' }
    const answer = await app.inject({ method: 'POST', url: '/page/token', headers, payload: '{' })
    t.equal(answer.statusCode, 400)
    t.strictSame(Object.keys(answer.json()).toSorted(), ['code', 'message'])
  })

  void t.test('answers nobody through another server, whatever Host that sets', async (t) => {
    const through = ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Forwarded', 'Via', 'X-Real-IP']
    for (const name of through) {
      const answer = await app.inject({
        method: 'POST',
        url: '/page/token',
        remoteAddress: '127.0.0.1',
        headers: { host: '127.0.0.1:8000', [name]: '', 'content-type': 'application/json' },
        payload: '{"name":"Ada"}',
      })
      t.strictSame([answer.statusCode, answer.json().code], [403, 'not_local'], name)
    }
  })

  void t.test('answers this machine, under its own name, and its own page', async (t) => {
    const allowed: TokenRequest[] = [
      { remoteAddress: '127.8.9.10' },
      { remoteAddress: '::1' },
      { remoteAddress: '::ffff:127.0.0.1' },
      { host: 'localhost' },
      { host: 'LOCALHOST:8000', origin: 'http://localhost:8000' },
      { host: '[::1]:8000' },
      { host: '127.0.0.1:8000', origin: 'http://127.0.0.1:8000' },
    ]
    for (const request of allowed) t.equal((await post(request)).statusCode, 200, JSON.stringify(request))
    const refused: TokenRequest[] = [
      { remoteAddress: '192.0.2.1' },
      { remoteAddress: '::ffff:192.0.2.1' },
      { remoteAddress: '2001:db8::1' },
      { host: 'rebound.example:8000' },
      { host: 'localhost.example' },
      { host: '127.0.0.1.example' },
      { host: '192.0.2.1:8000' },
      { host: 'localhost:8000/x' },
      { origin: 'http://rebound.example' },
      { origin: 'http://127.0.0.1:9000' },
      { origin: 'null' },
    ]
    for (const request of refused) {
      const answer = await post(request)
      t.equal(answer.statusCode, 403, JSON.stringify(request))
      t.match(answer.json(), { code: 'not_local', message: String })
    }
  })
})

void t.test('the files', async (t) => {
  const app = await startPage()
  t.teardown(() => app.close())

  void t.test('the page, its parts and the SDK, each with the security headers', async (t) => {
    const files = {
      '/': 'text/html',
      '/chat.css': 'text/css',
      '/chat.js': 'application/javascript',
      '/room-list.js': 'application/javascript',
      '/room.js': 'application/javascript',
      '/timeline.js': 'application/javascript',
      '/view.js': 'application/javascript',
      '/favicon.svg': 'image/svg+xml',
      '/assets/centrifuge.js': 'application/javascript',
    }
    for (const [url, type] of Object.entries(files)) {
      const { headers, statusCode } = await app.inject(url)
      t.equal(statusCode, 200, url)
      t.match(headers['content-type'], type)
      t.equal(headers['x-content-type-options'], 'nosniff')
      t.equal(headers['referrer-policy'], 'no-referrer')
      t.match(headers['content-security-policy'], "default-src 'none'; script-src 'self'")
      t.notMatch(headers['content-security-policy'], 'unsafe')
    }
  })

  void t.test('the page needs nothing that its policy forbids', async (t) => {
    const html = (await app.inject('/')).body
    t.notMatch(html, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:\/\//)
  })

  void t.test('every other path stays free for the proxy', async (t) => {
    t.equal((await app.inject('/connection/websocket')).statusCode, 404)
    t.equal((await app.inject({ url: '/page/token' })).statusCode, 404)
  })

  void t.test('nothing outside the folder', async (t) => {
    const address = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
    // Over a socket, because a client would tidy the path before it sends it.
    for (const path of [
      '/../plugin.ts',
      '/..%2fplugin.ts',
      '/%2e%2e/plugin.ts',
      '/assets/../../plugin.ts',
      '/..\\plugin.ts',
    ]) {
      const socket = connect(Number(address.port), address.hostname)
      socket.end(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
      const answer = Buffer.concat(await socket.toArray()).toString()
      t.match(answer, /^HTTP\/1\.1 40[034] /, path)
      t.notMatch(answer, 'fastifyStatic')
    }
  })
})
