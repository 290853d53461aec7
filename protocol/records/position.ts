/**
 * Where in a slot an event came from: the slot's incarnation, the log offset of its command, its index among the
 * events of that command. Positions order all positioned events of a slot, whoever emits them and however often.
 */
export interface Position {
  /** Compared first: what a slot emits after its log started anew is later than all before. */
  incarnation: number
  /** Of the command in the slot's log. */
  offset: number
  /** Among the events of that command, from 0. */
  index: number
}

/** True when `a` comes after `b`; anything comes after nothing. */
export function isAfter(a: Position, b: Position | undefined): boolean {
  if (b === undefined) return true
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation
  if (a.offset !== b.offset) return a.offset > b.offset
  return a.index > b.index
}
