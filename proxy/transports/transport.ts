import type { ClientCommand } from '../../protocol/client/command.ts'
import type { ServerMessage } from '../../protocol/client/message.ts'

/** A message or command as a transport's codec has it: text or bytes. */
export type Encoded = string | Buffer

/**
 * What all connections of one kind share: how messages become what is written, and what arrives becomes commands. Another
 * transport is another folder with one of these; sessions and output never see a frame.
 */
export interface Transport {
  /** Label of metrics. */
  readonly name: string
  /** A message as its clients read it, without what a frame adds. */
  encode(message: ServerMessage): Encoded
  /** Bytes that an encoded message takes in a frame, with what parts it from the next one. */
  bytesOf(encoded: Encoded): number
  /** One write for all of these messages; the same bytes may go to many connections. */
  frame(messages: Encoded[]): Buffer
  /** The same as writes of about `bytesMax` bytes each, so that it shows how far a long one is. */
  frames(messages: Encoded[], bytesMax: number): Buffer[]
  /** Where the next command stands in what a client sent, at or behind `from`; null when nothing else is in it. */
  find(received: string, from: number): { start: number; end: number } | null
  /** Throws ProtocolError for what is no command. */
  decode(command: string, depthLimit: number): ClientCommand
}

/** A client's connection as its session sees it. Everything that is written goes through `write`. */
export interface Connection {
  /** How its messages become bytes. */
  readonly transport: Transport
  /** Writes one piece that its transport made. */
  write(frame: Buffer): void
  /** Bytes accepted by write and not yet taken by the kernel. */
  readonly bufferedBytes: number
  /** Stops reading from the client. */
  pause(): void
  /** Goes on reading. */
  resume(): void
  /** Tells the client why and ends the connection when it answers, or a deadline of the transport passes. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  terminate(): void
}
