import { AppendLane } from '../log/append-lane.ts'
import type { Env } from '../platform/env.ts'
import { laneReports } from '../platform/lane-metrics.ts'
import { encodeJson } from '../protocol/status-record.ts'
import type { ControlRecord } from '../protocol/status-record.ts'
import { controlTopic } from '../protocol/topics.ts'

/** The controller's hints to everybody, newest per key, in order. */
export class Hints {
  readonly #lane: AppendLane

  constructor(env: Env) {
    this.#lane = new AppendLane({
      log: env.log,
      clock: env.clock,
      topic: controlTopic,
      partition: 0,
      ...laneReports(env, controlTopic),
    })
  }

  send(record: ControlRecord): void {
    const key = record.type === 'move' ? `slot/${record.slot}` : `worker/${record.worker}`
    this.#lane.push({ entry: { key: Buffer.from(key), value: encodeJson(record) } })
  }

  stop(): void {
    this.#lane.stop()
  }
}
