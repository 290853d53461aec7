/** A server that answers as the HTTP API of Prometheus does. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** What such a server does with a query. */
export type Answer = (response: ServerResponse, query: string, request: IncomingMessage) => void

/** A server that answers as Prometheus does, and counts how often it was asked. */
export async function servePrometheus(t: Test, answer: Answer): Promise<{ address: string; asked: () => number }> {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    void text(request).then((body) => answer(response, new URLSearchParams(body).get('query')!, request))
  }).listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

/** Says this, as JSON. */
export const says =
  (data: unknown, status = 200): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(data))

/** An answer with these samples. */
export const vector = (...values: string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1_700_000_000.1, value] })) },
})
/** An answer that is one number. */
export const scalar = (value: string) => ({
  status: 'success',
  data: { resultType: 'scalar', result: [1_700_000_000, value] },
})
