/** What a client asks a proxy for, as it remembers it until the answer comes. */

export interface Room {
  name: string
  wanted: boolean
  state: 'out' | 'joining' | 'in' | 'leaving'
  position: { epoch: string; offset: number } | null
  /** Subscribes in a row that came to nothing. */
  failures: number
}

export interface Sending {
  message: string
  room: string
  key: string | null
  attempt: number
}

export type Asked =
  | { kind: 'connect' }
  | { kind: 'join' | 'leave'; room: Room; recovering: boolean }
  | { kind: 'send'; sending: Sending; at: number }
  | { kind: 'history'; room: string; at: number }

export interface Publication {
  offset: number
  data: unknown
}

export interface SubscribeResult {
  epoch: string
  offset: number
  recovered?: boolean
  publications?: Publication[]
}

/** The body of a message: it says which one it is. */
export function bodyOf(message: string): string {
  return JSON.stringify({ m: message })
}

export function commandOf(asked: Asked): object {
  switch (asked.kind) {
    case 'connect':
      return { connect: {} }
    case 'join': {
      const { name: channel, position } = asked.room
      return { subscribe: { channel, ...(position && { recover: true, ...position }) } }
    }
    case 'leave':
      return { unsubscribe: { channel: asked.room.name } }
    case 'send': {
      const { room: channel, message, key } = asked.sending
      const data = { m: message }
      return key === null
        ? { publish: { channel, data } }
        : { rpc: { method: 'chat.send', data: { channel, data, key } } }
    }
    case 'history':
      return { history: { channel: asked.room, limit: 5, reverse: true } }
  }
}
