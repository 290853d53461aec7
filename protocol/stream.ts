/**
 * A place in a channel's stream. Offsets count its publications from 1; the epoch is the identity of the stream, so that an
 * offset of one that is no more is not taken for one of its successor (as Centrifugo's StreamPosition).
 */
export interface StreamPosition {
  /** Identity of the stream, opaque to clients. */
  epoch: string
  /** Of a publication; 0 is before the first. */
  offset: number
}
