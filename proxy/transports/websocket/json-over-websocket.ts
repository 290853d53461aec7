import { commandEnd, commandStart, decodeCommand } from '../../../protocol/client/json-commands.ts'
import { encodeMessage } from '../../../protocol/client/json-messages.ts'
import type { Transport } from '../transport.ts'
import { textFrame, textFrames } from './frames.ts'

/** The JSON form of the protocol in text messages of a WebSocket, several to a message, parted by line feeds. */
export const jsonOverWebSocket: Transport = {
  name: 'websocket',
  encode: encodeMessage,
  bytesOf: (encoded) => Buffer.byteLength(encoded) + 1,
  frame: (messages) => textFrame(messages.length === 1 ? messages[0]!.toString() : messages.join('\n')),
  frames: (messages, bytesMax) => textFrames(messages.join('\n'), bytesMax),
  find(received, from) {
    const start = commandStart(received, from)
    return start === -1 ? null : { start, end: commandEnd(received, start) }
  },
  decode: decodeCommand,
}
