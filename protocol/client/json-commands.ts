import { isDeeperThan, sliceMember } from '../json.ts'
import type { StreamPosition } from '../stream.ts'
import type { ClientCommand } from './command.ts'
import { ProtocolError } from './errors.ts'

/** Commands of clients in the JSON form of the protocol: one a line, any number in what a client sends at once. */

const flagRejectUnrecovered = 2
/** An int32 of the protocol. */
const leastType = -(2 ** 31)

type Members = Record<string, unknown>

const isBlank = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Where the first command at or behind `from` begins, -1 when only blanks follow: commands are lines, empty ones are none. */
export function commandStart(frame: string, from: number): number {
  let at = from
  while (at < frame.length && isBlank(frame.charCodeAt(at))) at++
  return at < frame.length ? at : -1
}

/** Where the command that begins at `start` ends. */
export function commandEnd(frame: string, start: number): number {
  const end = frame.indexOf('\n', start)
  return end === -1 ? frame.length : end
}

/** Throws ProtocolError. */
export function decodeCommand(line: string, depthLimit: number): ClientCommand {
  if (isDeeperThan(line, depthLimit)) throw new ProtocolError('nested too deeply')
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (cause) {
    throw new ProtocolError('not JSON', { cause })
  }
  const command = objectOf(parsed, 'command')
  const method = methods.find((name) => command[name] !== undefined && command[name] !== null)
  const id = integer(command, 'id')
  if (method === undefined) {
    if (id === 0 && Object.keys(command).length === 0) return { method: 'pong' }
    throw new ProtocolError('no known method')
  }
  if (method === 'send') return { method }
  if (id === 0) throw new ProtocolError('command without an id')
  const params = objectOf(command[method], method)
  // The payload's own text, found only where a method has one.
  const data = () => sliceMember(sliceMember(line, method)!, 'data') ?? null
  switch (method) {
    case 'connect':
    case 'refresh':
      return { id, method, token: text(params, 'token') }
    case 'subscribe':
      return {
        id,
        method,
        channel: text(params, 'channel'),
        token: text(params, 'token'),
        recover: flag(params, 'recover') ? { epoch: text(params, 'epoch'), offset: offset(params) } : null,
        recoverable: flag(params, 'recoverable'),
        positioned: flag(params, 'positioned'),
        rejectUnrecovered: (integer(params, 'flag') & flagRejectUnrecovered) !== 0,
        type: integer(params, 'type', leastType),
        delta: text(params, 'delta'),
        isFiltered: isGiven(params, 'tf') && objectOf(params['tf'], 'tf') !== null,
      }
    case 'unsubscribe':
      return { id, method, channel: text(params, 'channel') }
    case 'publish':
      return { id, method, channel: text(params, 'channel'), data: data() }
    case 'history':
      return {
        id,
        method,
        channel: text(params, 'channel'),
        limit: integer(params, 'limit', -1),
        since: sinceOf(params),
        reverse: flag(params, 'reverse'),
      }
    case 'rpc':
      return { id, method, name: text(params, 'method'), data: data() ?? 'null' }
    case 'presence':
    case 'presence_stats':
    case 'sub_refresh':
      return { id, method }
  }
}

const methods = [
  'connect',
  'subscribe',
  'unsubscribe',
  'publish',
  'presence',
  'presence_stats',
  'history',
  'rpc',
  'send',
  'refresh',
  'sub_refresh',
] as const

function sinceOf(params: Members): StreamPosition | null {
  if (!isGiven(params, 'since')) return null
  const since = objectOf(params['since'], 'since')
  return { offset: offset(since), epoch: text(since, 'epoch') }
}

function isGiven(params: Members, name: string): boolean {
  return params[name] !== undefined && params[name] !== null
}

function objectOf(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`${what} is not an object`)
  }
  return value as Members
}

function text(params: Members, name: string): string {
  const value = params[name] ?? ''
  if (typeof value !== 'string') throw new ProtocolError(`${name} is not a string`)
  return value
}

function flag(params: Members, name: string): boolean {
  const value = params[name] ?? false
  if (typeof value !== 'boolean') throw new ProtocolError(`${name} is not a boolean`)
  return value
}

function integer(params: Members, name: string, least = 0): number {
  const value = params[name] ?? 0
  if (!Number.isSafeInteger(value) || (value as number) < least) throw new ProtocolError(`${name} is not an integer`)
  return value as number
}

/** A uint64 of the protocol. No stream is as long as a number is exact: what is larger is as far beyond its top. */
function offset(params: Members): number {
  const value = params['offset'] ?? 0
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 2 ** 64) {
    throw new ProtocolError('offset is not an integer')
  }
  return Math.min(value as number, Number.MAX_SAFE_INTEGER)
}
