/**
 * A place in a channel's stream. Offsets count its publications from 1; the epoch is the identity of the stream, so that an
 * offset of one that is no more is not taken for one of its successor (as Centrifugo's StreamPosition).
 */
export interface StreamPosition {
  epoch: string
  offset: number
}
