import type { Env } from '../../cluster/env.ts'
import { laneReports } from '../../cluster/lane-metrics.ts'
import { AppendLane } from '../../log/append-lane.ts'
import { configKey, encodeControl } from '../../protocol/records/control.ts'
import type { ControlRecord } from '../../protocol/records/control.ts'
import { controlTopic } from '../../protocol/records/topics.ts'

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

  /** Appends a hint; the newest of each slot, of each worker, of the configuration and of the namespaces stays. */
  send(record: ControlRecord): void {
    this.#lane.push({ entry: { key: Buffer.from(keyOf(record)), value: encodeControl(record) } })
  }

  stop(): void {
    this.#lane.stop()
  }
}

function keyOf(record: ControlRecord): string {
  switch (record.type) {
    case 'move':
      return `slot/${record.slot}`
    case 'drain':
      return `worker/${record.worker}`
    case 'config':
      return configKey
    case 'namespaces':
      return record.type
  }
}
