import { FormatError } from './errors.ts'

/**
 * What every record of ours looks like in the log: one byte of format version, four bytes of header length (big
 * endian), a JSON header, then payload bytes that nobody on the way parses. Readers ignore header members they do not
 * know, so neighbouring versions run together.
 */

/** First byte of every record; a reader refuses any other. */
export const formatVersion = 1

/** Of a record, an event or an answer without one. */
export const emptyPayload: Buffer = Buffer.alloc(0)

/** A record: the header as JSON, then the payload, whose pieces are put together. */
export function encodeEnvelope(header: object, payload: Buffer | Buffer[]): Buffer {
  return encodeEnvelopeText(JSON.stringify(header), payload)
}

/** As encodeEnvelope, with a header that is JSON already. */
export function encodeEnvelopeText(header: string, payload: Buffer | Buffer[]): Buffer {
  const head = Buffer.from(header)
  const start = Buffer.allocUnsafe(5)
  start[0] = formatVersion
  start.writeUInt32BE(head.length, 1)
  return Buffer.concat(Array.isArray(payload) ? [start, head, ...payload] : [start, head, payload])
}

/**
 * The inverse of encodeEnvelope; the payload is a part of `value`. Throws FormatError when the record is not one of
 * ours or of a version this build cannot read.
 */
export function decodeEnvelope(value: Buffer): { header: unknown; payload: Buffer } {
  if (value.length < 5) throw new FormatError('record is shorter than its envelope')
  if (value[0] !== formatVersion) throw new FormatError(`record has format version ${value[0]}, not ${formatVersion}`)
  const end = 5 + value.readUInt32BE(1)
  if (end > value.length) throw new FormatError('record is cut short')
  try {
    return { header: JSON.parse(value.toString('utf8', 5, end)), payload: value.subarray(end) }
  } catch (cause) {
    throw new FormatError('record header is not JSON', { cause })
  }
}
