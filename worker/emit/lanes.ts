import type { Env } from '../../cluster/env.ts'
import { laneReports } from '../../cluster/lane-metrics.ts'
import { AppendLane } from '../../log/append-lane.ts'
import type { LaneItem } from '../../log/append-lane.ts'
import type { Timer } from '../../platform/clock.ts'
import { errors } from '../../protocol/client/codes.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { cutAnswer } from '../../protocol/records/answer-parts.ts'
import { encodeAnswer } from '../../protocol/records/answer.ts'
import type { AnswerRecord } from '../../protocol/records/answer.ts'
import { emptyPayload } from '../../protocol/records/envelope.ts'
import { encodeNotice } from '../../protocol/records/notice.ts'
import { recordBytesMax, recordOverheadBytes } from '../../protocol/records/sizes.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { OutboxRow } from '../../store/store.ts'

/** An outbox row on its way into one lane. */
interface RowItem extends LaneItem {
  /** Token of the ownership that put it here, '' for answers: one process may own a slot twice in a row. */
  owner: string
  row: OutboxRow | null
  /** This lane has nothing more to do with it. */
  done: () => void
}

/** Answers of reads that wait in one lane: beyond, none is begun for its inboxes. */
export const answersMaxBytes = 4_000_000

/** How often the backlog metric is taken. */
const backlogSampleMs = 1_000

/**
 * The worker's way out: one FIFO lane per partition of the inbox topic, shared by all its slots. Rows of the outbox
 * are put in after their commit, in order; a row is done when every lane it went into has it in the log. Answers of
 * reads go when no row waits.
 */
export class Lanes {
  readonly #env: Env
  readonly #partitions: number
  readonly #backlogMaxBytes: number
  readonly #lanes = new Map<number, AppendLane<RowItem>>()
  readonly #timer: Timer

  constructor(env: Env, partitions: number, backlogMaxBytes: number) {
    this.#env = env
    this.#partitions = partitions
    this.#backlogMaxBytes = backlogMaxBytes
    this.#timer = env.clock.every(backlogSampleMs, () => {
      let [events, answers] = [0, 0]
      for (const lane of this.#lanes.values()) {
        events += lane.queuedBytes
        answers += lane.laterBytes
      }
      env.metrics.laneBacklogBytes.set(events)
      env.metrics.laneAnswerBytes.set(answers)
    })
  }

  /**
   * Puts a row into the lanes of its inboxes; `done` is called once all of them have it. One that the log can never take,
   * which only older versions write, has a resync in its place: its inboxes have missed something then.
   */
  emit(slot: SlotId, owner: string, row: OutboxRow, done: () => void): void {
    const partitions = new Set(row.inboxes.map((inbox) => this.#partitionOf(inbox)))
    let remaining = partitions.size
    if (remaining === 0) return done()
    const laneDone = () => {
      if (--remaining === 0) done()
    }
    const item = (value: Buffer): RowItem => {
      return { entry: { key: null, value }, owner, row, done: laneDone, appended: laneDone }
    }
    for (const partition of partitions) {
      const refused = (): RowItem => {
        this.#env.metrics.laneResyncs.inc()
        const to = row.inboxes.filter((inbox) => this.#partitionOf(inbox) === partition)
        const value = encodeNotice({ type: 'resync', slot, to })
        const lost = () => {
          laneDone()
          return null
        }
        return { ...item(value), refused: lost }
      }
      this.#lane(partition).push({ ...item(row.body), refused })
    }
  }

  /** False while many answers wait on the way to this inbox. */
  hasRoomFor(inbox: string): boolean {
    return this.#lane(this.#partitionOf(inbox)).laterBytes < answersMaxBytes
  }

  /**
   * Out of band: no row stands behind it, the proxy asks again if it is lost. One that is too large is an error. `done`
   * is called once the log has all of it.
   */
  answer(answer: AnswerRecord, inParts: boolean, done: () => void): void {
    const tooLarge = { ...answer, error: errors.limitExceeded, body: emptyPayload }
    const values = (inParts ? cutAnswer(answer) : [answer]).map(encodeAnswer)
    const isTooLarge = ({ length }: Buffer) => length + recordOverheadBytes > recordBytesMax
    if (isTooLarge(answer.body) || values.some(isTooLarge)) return this.answer(tooLarge, inParts, done)
    const lane = this.#lane(this.#partitionOf(answer.to))
    for (const [index, value] of values.entries()) {
      const laneDone = index === values.length - 1 ? done : () => {}
      const item = (value: Buffer): RowItem => {
        return { entry: { key: null, value }, owner: '', row: null, done: laneDone, appended: laneDone }
      }
      lane.pushLater({ ...item(value), refused: () => item(encodeAnswer(tooLarge)) })
    }
  }

  /**
   * Takes this owner's rows out of lanes whose backlog is full, apart from what is being appended. The instances
   * named have missed something then.
   */
  takeOverflow(owner: string): { row: OutboxRow; inboxes: string[] }[] {
    const taken: { row: OutboxRow; inboxes: string[] }[] = []
    for (const [partition, lane] of this.#lanes) {
      if (lane.queuedBytes <= this.#backlogMaxBytes) continue
      for (const item of lane.remove((each) => each.owner === owner && each.row !== null)) {
        const inboxes = item.row!.inboxes.filter((inbox) => this.#partitionOf(inbox) === partition)
        taken.push({ row: item.row!, inboxes })
        item.done()
      }
    }
    if (taken.length > 0) this.#env.metrics.laneResyncs.inc()
    return taken
  }

  /** The slot has another owner: what is still waiting stands in the outbox, and that owner sends it. */
  drop(owner: string): void {
    for (const lane of this.#lanes.values()) lane.remove((item) => item.owner === owner)
  }

  /** Nothing waits, for whatever slot. */
  get isIdle(): boolean {
    return this.#lanes.values().every((lane) => lane.isIdle)
  }

  stop(): void {
    this.#timer.cancel()
    for (const lane of this.#lanes.values()) lane.stop()
  }

  #partitionOf(inbox: string): number {
    return partitionOf(inbox, this.#partitions)
  }

  #lane(partition: number): AppendLane<RowItem> {
    return this.#lanes.getOrInsertComputed(
      partition,
      () =>
        new AppendLane<RowItem>({
          log: this.#env.log,
          clock: this.#env.clock,
          topic: inboxTopic,
          partition,
          ...laneReports(this.#env, inboxTopic),
        }),
    )
  }
}
