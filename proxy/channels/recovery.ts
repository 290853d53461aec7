import type { StreamPosition } from '../../protocol/stream.ts'

/** A channel's stream as a proxy or slot knows it: who it is and how far it goes. */
export interface StreamTop {
  epoch: string
  top: number
}

/**
 * What a subscribe needs, given where the client was: nothing (`fresh`, or `level` with the top), the publications
 * in between (`behind`), or a new start, because the stream is another one or shorter (`lost`). The rule is
 * isStreamRecovered in centrifuge's client.go: an absent epoch matches any.
 */
export function decideRecovery(from: StreamPosition | null, stream: StreamTop): 'fresh' | 'level' | 'behind' | 'lost' {
  if (from === null) return 'fresh'
  if (from.epoch !== '' && from.epoch !== stream.epoch) return 'lost'
  if (from.offset === stream.top) return 'level'
  return from.offset < stream.top ? 'behind' : 'lost'
}

/** The client has seen more of this very stream than the proxy has: it comes from a proxy that was quicker. */
export function isAhead(from: StreamPosition, stream: StreamTop): boolean {
  return (from.epoch === '' || from.epoch === stream.epoch) && from.offset > stream.top
}
