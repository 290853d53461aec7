import type { ByteWriter } from './bytes.ts'

/** A request in an encoding of our own, in the form in which kafkajs takes one (src/protocol/request.js). */
export interface WireRequest {
  apiKey: number
  apiName: string
  apiVersion: number
  /** kafkajs puts the header before what it finds in an Encoder of its own: all it looks at are these two. */
  encode: () => { buf: Buffer; buffer: Buffer }
}

/** A request with what `writer` holds as its body; a flexible version's body begins with the end of the header. */
export function wireRequest(apiKey: number, apiName: string, apiVersion: number, writer: ByteWriter): WireRequest {
  const body = writer.written
  return { apiKey, apiName, apiVersion, encode: () => ({ buf: body, buffer: body }) }
}
