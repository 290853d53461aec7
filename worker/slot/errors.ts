/** The log and the store do not fit together, or the store takes nothing of a slot: a person must decide. */
export class Halted extends Error {
  override name = 'Halted'
}

/** Another owner has the slot, or this one ends as a crash would: nothing more is done for it. */
export class FencedOut extends Error {
  override name = 'FencedOut'
}
