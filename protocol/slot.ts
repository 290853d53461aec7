/**
 * A slot: one partition of a group's command topic, written `group/partition`, for example `default/7`. A channel belongs
 * to exactly one, for good.
 */
export type SlotId = `${string}/${number}`

/** The slot at a partition of a group's command topic. */
export function slotId(group: string, partition: number): SlotId {
  return `${group}/${partition}`
}

/** True for a text that names a slot, of whatever group. */
export function isSlotId(text: unknown): text is SlotId {
  return typeof text === 'string' && /^.*\/\d+$/s.test(text)
}

/** The inverse of slotId; a group may have slashes in its name, so the last one parts. */
export function parseSlot(slot: SlotId): { group: string; partition: number } {
  const at = slot.lastIndexOf('/')
  return { group: slot.slice(0, at), partition: Number(slot.slice(at + 1)) }
}

/** How far a slot has been handled: everything before `nextOffset` of its log, which has started anew `incarnation` times. */
export interface SlotPlace {
  /** Raised by a person's reset, and when a store went back in time; 0 at first. */
  incarnation: number
  /** Log offset of the first record that has not been handled. */
  nextOffset: number
}

/** True when `a` is further than `b`: by incarnation first. */
export function isFurther(a: SlotPlace, b: SlotPlace): boolean {
  return a.incarnation === b.incarnation ? a.nextOffset > b.nextOffset : a.incarnation > b.incarnation
}
