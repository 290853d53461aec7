import type { Test } from 'tap'
import { AppendLane } from '../../../log/append-lane.ts'
import type { Log } from '../../../log/log.ts'
import { systemClock } from '../../../platform/clock.ts'
import { until } from '../../support/until.ts'
import { entry, numbersOf } from './tools.ts'

/** How often each lane gets a record. */
const paceMs = 5

interface Lane {
  lane: AppendLane
  sent: number
  /** Number at each offset that was acknowledged. */
  acknowledged: Map<number, number>
  failedTries: number
  seen: { offset: number; number: number }[]
}

/** Numbered records in lanes, a partition each, and a reader of each: under way while something happens to the log. */
export class Stream {
  readonly #t: Test
  readonly #lanes: Lane[]
  readonly #timer: NodeJS.Timeout

  /** Reads with `readLog` what is appended to `log`. */
  constructor(t: Test, log: Log, readLog: Log, topic: string, partitions: number) {
    this.#t = t
    this.#lanes = Array.from({ length: partitions }, (_, partition) => {
      const tried = (_ms: number, error: unknown): void => void (error !== null && (lane.failedTries += 1))
      const lane: Lane = {
        lane: new AppendLane({ log, clock: systemClock, topic, partition, tried }),
        sent: 0,
        acknowledged: new Map(),
        failedTries: 0,
        seen: [],
      }
      void this.#read(readLog, topic, partition, lane)
      return lane
    })
    this.#timer = setInterval(() => {
      for (const lane of this.#lanes) {
        const number = lane.sent++
        lane.lane.push({ entry: entry(number), appended: (offset) => void lane.acknowledged.set(offset, number) })
      }
    }, paceMs)
    t.teardown(() => clearInterval(this.#timer))
  }

  get failedTries(): number {
    return this.#lanes.reduce((sum, { failedTries }) => sum + failedTries, 0)
  }

  get acknowledgedCount(): number {
    return this.#lanes.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  }

  /** Waits until records flow: every lane has got some acknowledged, and they were read. */
  async flows(deadlineMs: number): Promise<void> {
    const before = this.#lanes.map(({ acknowledged, seen }) => ({ acknowledged: acknowledged.size, seen: seen.length }))
    await until(
      'records to flow in every lane',
      () =>
        this.#lanes.every(
          ({ acknowledged, seen }, index) =>
            acknowledged.size > before[index]!.acknowledged + 5 && seen.length > before[index]!.seen + 5,
        ),
      deadlineMs,
    )
  }

  /** Ends the stream, waits until everything was read, and looks whether it is as it must be. */
  async check(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer)
    await until(
      'the last record of every lane',
      () => this.#lanes.every(({ lane, seen, sent }) => lane.isIdle && seen.at(-1)?.number === sent - 1),
      deadlineMs,
    )
    this.#lanes.forEach((lane, partition) => this.#checkLane(lane, partition))
  }

  #checkLane({ sent, acknowledged, seen, failedTries }: Lane, partition: number): void {
    const t = this.#t
    let [next, wrong] = [0, 0]
    for (const { number } of seen) {
      if (number === next) next += 1
      else if (number > next) wrong += 1
    }
    t.equal(wrong, 0, `lane ${partition}: without the repetitions, ${sent} records are in order without a gap`)
    t.equal(next, sent)
    t.ok(
      seen.every(({ offset }, index) => index === 0 || offset === seen[index - 1]!.offset + 1),
      'no offset is read twice or passed over',
    )
    const at = new Map(seen.map(({ offset, number }) => [offset, number]))
    t.equal(acknowledged.size, sent)
    t.ok(
      [...acknowledged].every(([offset, number]) => at.get(offset) === number),
      'everything acknowledged is where it was said to be',
    )
    const repeated = seen.length - sent
    t.ok(repeated === 0 || failedTries > 0, `${repeated} repeated after ${failedTries} tries without an answer`)
  }

  async #read(log: Log, topic: string, partition: number, lane: Lane): Promise<void> {
    const reader = log.read(topic, partition, 0)
    this.#t.teardown(() => reader.close())
    try {
      for (;;) {
        const records = await reader.next()
        numbersOf(records).forEach((number, index) => lane.seen.push({ offset: records[index]!.offset, number }))
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'closed') this.#t.fail('a reader ended', { cause: error })
    }
  }
}
