import assert from 'node:assert/strict'
import { AppendLane } from '../../log/append-lane.ts'
import type { LaneItem } from '../../log/append-lane.ts'
import { LogError } from '../../log/errors.ts'
import type { Log, LogEntry } from '../../log/log.ts'
import type { Clock } from '../../platform/clock.ts'

/** What becomes of an append. */
export type Fate = 'stored' | 'lost' | 'stored, not acknowledged'

/** A log that refuses an append which holds an entry of this name. */
export const isTooLarge = (text: string) => text.startsWith('huge')

/** A log whose appends end when and how the test says. */
export class HeldLog {
  readonly entries: string[] = []
  /** Appends under way, as the texts of their entries. */
  readonly held: { texts: string[]; end: (fate: Fate) => void; refuse: (error: Error) => void }[] = []
  outstandingMost = 0
  outstanding = 0

  append(_topic: string, _partition: number, entries: LogEntry[]): Promise<number> {
    this.outstandingMost = Math.max(this.outstandingMost, ++this.outstanding)
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const texts = entries.map(({ value }) => value.toString())
    const refuse = (error: Error) => {
      this.outstanding--
      reject(error)
    }
    const end = (fate: Fate) => {
      const first = this.entries.length
      if (fate !== 'lost' && texts.some(isTooLarge)) return refuse(new LogError('too_large', 'never'))
      if (fate !== 'lost') this.entries.push(...texts)
      if (fate !== 'stored') return refuse(new LogError('unavailable', fate))
      this.outstanding--
      resolve(first)
    }
    this.held.push({ texts, end, refuse })
    return promise
  }
}

/** A clock on which pauses end when the test says; what was asked for is noted. */
class HeldClock {
  readonly pausesMs: number[] = []
  wake: (() => void) | null = null

  readonly clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (ms, run) => {
      this.pausesMs.push(ms)
      this.wake = run
      return { cancel: () => (this.wake = null) }
    },
    every: () => assert.fail('a lane needs no interval'),
    sleep: () => assert.fail('a lane can be woken'),
  }
}

/** A lane on a log and a clock that the test leads, and what came of it. */
export interface Rig {
  log: HeldLog
  time: HeldClock
  lane: AppendLane<LaneItem & { name: string }>
  sent: string[]
  acknowledged: [name: string, offset: number][]
  tried: boolean[]
  /** Names of entries that the log would not take, and what went in the place of some. */
  refused: string[]
  push: (name: string, more?: { bytes?: number; appended?: () => void; instead?: string }) => void
  pushLater: Rig['push']
  /** Ends the append under way and lets the lane go on. */
  end: (fate: Fate) => Promise<void>
}

export function rig(log = new HeldLog()): Rig {
  const time = new HeldClock()
  const tried: boolean[] = []
  const lane = new AppendLane<LaneItem & { name: string }>({
    log: log as unknown as Log,
    clock: time.clock,
    topic: 'topic',
    partition: 3,
    tried: (_durationMs, error) => tried.push(error === null),
  })
  const sent: string[] = []
  const refused: string[] = []
  const acknowledged: [string, number][] = []
  const itemOf = (
    name: string,
    { bytes = 0, appended, instead }: { bytes?: number; appended?: (() => void) | undefined; instead?: string },
  ): LaneItem & { name: string } => ({
    name,
    entry: { key: null, value: Buffer.from(name.padEnd(bytes, '.')) },
    sending: () => sent.push(name),
    appended(offset) {
      acknowledged.push([name, offset])
      appended?.()
    },
    refused() {
      refused.push(name)
      return instead === undefined ? null : itemOf(instead, {})
    },
  })
  return {
    log,
    time,
    lane,
    sent,
    acknowledged,
    tried,
    refused,
    push: (name, more = {}) => lane.push(itemOf(name, more)),
    pushLater: (name, more = {}) => lane.pushLater(itemOf(name, more)),
    async end(fate) {
      const held = log.held.shift()
      assert.ok(held, 'an append is under way')
      held.end(fate)
      await settled()
      time.wake?.()
      await settled()
    },
  }
}

/** Every promise that can go on has gone on. */
export const settled = () => new Promise((resolve) => setImmediate(resolve))
