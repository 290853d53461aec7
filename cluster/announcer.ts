import { AppendLane } from '../log/append-lane.ts'
import type { LaneItem } from '../log/append-lane.ts'
import { LogError } from '../log/errors.ts'
import type { Timer } from '../platform/clock.ts'
import type { Hindrance } from '../platform/outages.ts'
import { partitionOf } from '../protocol/partition.ts'
import type { Heartbeat } from '../protocol/records/heartbeat.ts'
import { encodeStatus } from '../protocol/records/status.ts'
import type { StatusRecord } from '../protocol/records/status.ts'
import { heartbeatPartitions, heartbeatTopic, statusTopic } from '../protocol/records/topics.ts'
import type { Env } from './env.ts'
import { laneReports } from './lane-metrics.ts'

/** Announcements that wait for the log at most, in bytes. */
export const announcementBytesMax = 1_000_000

/** How long a farewell may take to reach the log. */
export const goodbyeMs = 500

/** What it stands on: no fault strikes what a process says of itself. */
type AnnouncerEnv = Omit<Env, 'faults'>

/**
 * Tells the cluster about this process: heartbeats at an interval, and announcements in order, each on their topic.
 * While the log is away only the newest heartbeat waits.
 */
export class Announcer {
  readonly #env: AnnouncerEnv
  readonly #beats: AppendLane
  readonly #announcements: AppendLane
  #timer: Timer | null = null
  #waitingBeat: LaneItem | null = null
  #beat = 0
  #hindrance: Hindrance | null = null
  #hinderedAt = -Infinity
  readonly #known = Promise.withResolvers<void>()
  readonly #describe: (beat: number) => Heartbeat

  constructor(env: AnnouncerEnv, id: string, describe: (beat: number) => Heartbeat) {
    this.#env = env
    this.#describe = describe
    const lane = (topic: string, partition: number, reports = laneReports(env, topic)) =>
      new AppendLane({ log: env.log, clock: env.clock, topic, partition, ...reports })
    const reports = laneReports(env, heartbeatTopic)
    this.#beats = lane(heartbeatTopic, partitionOf(id, heartbeatPartitions), {
      ...reports,
      tried: (durationMs, error) => {
        reports.tried?.(durationMs, error)
        this.#hindrance = error instanceof LogError ? error.hindrance : null
        if (this.#hindrance !== null) this.#hinderedAt = env.clock.monotonic()
      },
    })
    this.#announcements = lane(statusTopic, 0)
  }

  /** Why the log, which answers, did not take the last heartbeat; null when it did, or said nothing. */
  get hindrance(): Hindrance | null {
    return this.#hindrance
  }

  /** Monotonic ms at which the log last answered that it takes nothing. */
  get hinderedAt(): number {
    return this.#hinderedAt
  }

  /** Sends the first heartbeat now, and the next ones by the clock. */
  start(intervalMs: number): void {
    this.beat()
    this.#timer = this.#env.clock.every(intervalMs, () => this.beat())
  }

  /** Resolves once a heartbeat is in the log, or none will be sent any more. */
  known(): Promise<void> {
    return this.#known.promise
  }

  /** Sends a heartbeat now, in place of one that still waits. */
  beat(): void {
    if (this.#waitingBeat) this.#beats.remove((item) => item === this.#waitingBeat)
    const item: LaneItem = {
      entry: { key: null, value: encodeStatus(this.#describe(++this.#beat)) },
      sending: () => (this.#waitingBeat = null),
      appended: () => this.#known.resolve(),
    }
    this.#waitingBeat = item
    this.#beats.push(item)
  }

  /** Dropped when the log has been away for long: announcements hurry things along, nothing rests on them. */
  announce(record: StatusRecord): void {
    if (this.#announcements.queuedBytes > announcementBytesMax) {
      this.#env.metrics.announcementsDropped.inc()
      return
    }
    this.#announcements.push({ entry: { key: null, value: encodeStatus(record) } })
  }

  /** As announce, for what something rests on: never dropped. Resolves once it is in the log. */
  announced(record: StatusRecord): Promise<void> {
    return new Promise((resolve) =>
      this.#announcements.push({ entry: { key: null, value: encodeStatus(record) }, appended: () => resolve() }),
    )
  }

  /** Stops the heartbeats, says goodbye and waits until all of it is in the log, for at most `goodbyeMs`. */
  async leave(goodbye: StatusRecord): Promise<void> {
    this.#endBeats()
    this.announce(goodbye)
    await Promise.race([this.#announcements.idle(), this.#env.clock.sleep(goodbyeMs)])
    this.#announcements.stop()
  }

  /** Ends without a word, as a crash would. */
  stop(): void {
    this.#endBeats()
    this.#announcements.stop()
  }

  #endBeats(): void {
    this.#timer?.cancel()
    this.#beats.stop()
    this.#known.resolve()
  }
}
