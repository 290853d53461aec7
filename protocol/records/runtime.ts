import { publicationJson } from '../client/publication.ts'
import type { Publication } from '../client/publication.ts'
import { splitValues } from '../json.ts'
import { emptyPayload } from './envelope.ts'
import { FormatError } from './errors.ts'
import { checkShape, checkTexts, shapeOf } from './shape.ts'

/**
 * What proxies and controllers ask of a slot itself, whatever its app: the methods, and one codec for what each brings.
 * `subscribe` and `close` bring nothing: the channel and the instance stand in the command.
 */
export type RuntimeRequest =
  | { method: 'subscribe' | 'close' }
  /** Where these channels of the slot are. */
  | { method: 'tops'; channels: string[] }
  /** An instance is retired: nothing of it counts any more. */
  | { method: 'gone'; instance: string }
  | { method: 'recover'; range: RecoverRange }

/** Publications of a channel after one offset up to another: as many as `limit`, in one page or more, or none at all. */
export interface RecoverRange {
  /** Offset of the last publication that the client has; 0 for none. */
  after: number
  /** Offset of the last one that is wanted. */
  upTo: number
  /** Publications at most: a longer range is refused with 112. */
  limit: number
  /** Bytes of a page; undefined from a proxy that takes all or nothing. */
  bytesMax?: number
}

const methods: ReadonlySet<string> = new Set<RuntimeRequest['method']>([
  'subscribe',
  'close',
  'tops',
  'gone',
  'recover',
])
const rangeShape = shapeOf({ after: 'count', upTo: 'count', limit: 'count', bytesMax: 'count?' })

/** The payload of a request's command. */
export function encodeRequest(request: RuntimeRequest): Buffer {
  switch (request.method) {
    case 'subscribe':
    case 'close':
      return emptyPayload
    case 'tops':
      return Buffer.from(JSON.stringify(request.channels))
    case 'gone':
      return Buffer.from(request.instance)
    case 'recover':
      return Buffer.from(JSON.stringify(request.range))
  }
}

/** Null for a method of the app. Throws FormatError when the payload is not what the method brings. */
export function decodeRequest(method: string, payload: Buffer): RuntimeRequest | null {
  if (!methods.has(method)) return null
  switch (method as RuntimeRequest['method']) {
    case 'subscribe':
    case 'close':
      return { method: method as 'subscribe' | 'close' }
    case 'tops': {
      const channels = parse(payload, method)
      checkTexts(channels, method)
      return { method: 'tops', channels }
    }
    case 'gone':
      return { method: 'gone', instance: payload.toString() }
    case 'recover': {
      const range = parse(payload, method)
      checkShape(range, rangeShape, method)
      return { method: 'recover', range: range as unknown as RecoverRange }
    }
  }
}

/** The answer to `recover`: each publication as clients get it. */
export function encodeRecovered(publications: Publication[]): string {
  return publications.map(publicationJson).join(',')
}

/** The JSON of each publication. */
export function decodeRecovered(body: Buffer): string[] {
  return splitValues(body.toString())
}

function parse(payload: Buffer, what: string): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch (cause) {
    throw new FormatError(`${what}: not JSON`, { cause })
  }
}
