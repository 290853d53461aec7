import type { StoreEnv } from '../../cluster/env.ts'
import { laneReports } from '../../cluster/lane-metrics.ts'
import { AppendLane } from '../../log/append-lane.ts'
import { LogError } from '../../log/errors.ts'
import { partitionOf } from '../../protocol/partition.ts'
import { encodeCommand, ofNobody } from '../../protocol/records/command.ts'
import { encodeNotice } from '../../protocol/records/notice.ts'
import { encodeRequest } from '../../protocol/records/runtime.ts'
import { commandTopic, inboxTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'

/** Who tells (the id of the controller), and which slots and inboxes there are to be told. */
export interface InstancesOptions {
  controller: string
  slots: () => SlotId[]
  inboxPartitions: number
}

/**
 * The end of a proxy instance: decided once in the store, told to the instance, then to every slot, which forgets
 * what it wanted and refuses what still comes from it.
 */
export class Instances {
  readonly #env: StoreEnv
  readonly #options: InstancesOptions
  readonly #ending = new Set<string>()
  readonly #lanes = new Map<string, AppendLane>()
  #n = 0

  constructor(env: StoreEnv, options: InstancesOptions) {
    this.#env = env
    this.#options = options
  }

  /** Declares an instance dead. Resolves when every slot has been told; safe to repeat. */
  async retire(id: string): Promise<void> {
    if (this.#ending.has(id)) return
    this.#ending.add(id)
    try {
      const { store, metrics, logger } = this.#env
      if (await store.moveInstance(id, 'live', 'retired')) {
        metrics.retired.inc()
        logger.warn({ proxy: id }, 'proxy instance is retired')
      }
      await this.#append(
        inboxTopic,
        partitionOf(id, this.#options.inboxPartitions),
        encodeNotice({ type: 'retired', to: id }),
      )
      await Promise.all(this.#options.slots().map((slot) => this.#gone(slot, id)))
      await store.moveInstance(id, 'retired', 'gone')
    } finally {
      this.#ending.delete(id)
    }
  }

  #gone(slot: SlotId, id: string): Promise<void> {
    const { group, partition } = parseSlot(slot)
    const { controller } = this.#options
    const value = encodeCommand({
      producer: controller,
      n: ++this.#n,
      instance: controller,
      ...ofNobody,
      channel: '',
      method: 'gone',
      time: this.#env.clock.now(),
      seed: this.#env.random.hex(12),
      takesParts: false,
      payload: encodeRequest({ method: 'gone', instance: id }),
    })
    return this.#append(commandTopic(group), partition, value)
  }

  /**
   * Until the log has it; rejects when it never can. What comes twice is dropped by its number, or changes nothing. One
   * lane for each partition: numbers arrive in their order, however many instances end at once.
   */
  #append(topic: string, partition: number, value: Buffer): Promise<void> {
    const { log, clock } = this.#env
    const lane = this.#lanes.getOrInsertComputed(
      `${topic}/${partition}`,
      () => new AppendLane({ log, clock, topic, partition, ...laneReports(this.#env, topic) }),
    )
    return new Promise((resolve, reject) =>
      lane.push({
        entry: { key: null, value },
        appended: () => resolve(),
        refused: () => {
          reject(new LogError('too_large', `${topic} cannot take what an instance is named in`))
          return null
        },
      }),
    )
  }
}
