import type { Stream } from './contract.ts'

/** A channel's last message whose time is further ahead than this was sent by a clock that was wrong. */
export const clockErrorMaxMs = 3_600_000

/**
 * When a message of `time` was sent, after those of its channel: times never go back, so that what is not older than
 * some age is the end of a channel. But one clock that was wrong, of whatever year, does not give its time to all that
 * comes after it. Derived from what is in the log alone, like everything that is replayed.
 */
export function timeAfter({ lastTime }: Stream, time: number): number {
  return lastTime - time > clockErrorMaxMs ? time : Math.max(time, lastTime)
}
