import type { IncomingMessage } from 'node:http'

/** Why a request for the WebSocket does not become one. */
export interface HandshakeProblem {
  status: 400 | 426
  code: string
  message: string
  headers: Record<string, string>
}

/** The one version there is (RFC 6455, section 4.1); of the drafts before it one is still spoken, and hides its origin. */
const version = '13'
const keyPattern = /^[+/0-9A-Za-z]{22}==$/

/** True for a request that asks to go on as a WebSocket: any other is an ordinary one, whatever else it asks for. */
export function asksForWebSocket({ method, httpVersionMajor, httpVersionMinor, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    (httpVersionMajor > 1 || httpVersionMinor >= 1) &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    // With a body still to come Node would hand out a stream that is no socket.
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined
  )
}

/** Null for a good handshake. `isUpgrade`: it reached the server as one. */
export function handshakeProblem({ headers }: IncomingMessage, isUpgrade: boolean): HandshakeProblem | null {
  const upgrade = { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': version }
  if (!isUpgrade) {
    const message =
      'this is no WebSocket handshake; a balancer in front must speak HTTP/1.1 and pass the headers Upgrade and Connection on'
    return { status: 426, code: 'upgrade_required', message, headers: upgrade }
  }
  if (headers['sec-websocket-version'] !== version) {
    const message = `Sec-WebSocket-Version must be ${version}`
    return { status: 426, code: 'websocket_version', message, headers: upgrade }
  }
  if (!keyPattern.test(headers['sec-websocket-key'] ?? '')) {
    return { status: 400, code: 'websocket_key', message: 'Sec-WebSocket-Key is missing or malformed', headers: {} }
  }
  return null
}

/**
 * What a list of subprotocols comes to, undefined without any. Lists may have empty elements (RFC 9110, section 5.6.1);
 * the Python SDK sends nothing else when it asks for none.
 */
export function subprotocolList(header: string | undefined): string | undefined {
  const names = new Set(header?.split(',').map((name) => name.trim()))
  names.delete('')
  return names.size > 0 ? [...names].join(', ') : undefined
}
