import type { StoreEnv } from '../../cluster/env.ts'
import type { StruckRecord } from '../../cluster/faults/faults.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import type { FaultStage } from '../../protocol/records/fault.ts'
import { parseSlot } from '../../protocol/slot.ts'
import { StoreError } from '../../store/errors.ts'
import { commandsOf } from './batch.ts'
import type { BatchCommand, BatchItem } from './batch.ts'
import { FencedOut } from './errors.ts'
import type { SlotMemory } from './memory.ts'

/** Whose faults they are, and what comes before a death. */
export interface SlotFaultsOptions {
  version: string
  /** Notes in the store that this record ends the process, and nobody is to blame. False when the slot was lost. */
  killing: (offset: number) => Promise<boolean>
  /** The slot is not owned any more. */
  stopped: () => boolean
}

const none: ReadonlyMap<number, CommandError> = new Map()

/** What faults do to a slot, at the stages of a batch and with the store. Each method is a stage. */
export class SlotFaults {
  readonly #env: StoreEnv
  readonly #memory: SlotMemory
  readonly #options: SlotFaultsOptions
  readonly #group: string

  constructor(env: StoreEnv, memory: SlotMemory, options: SlotFaultsOptions) {
    this.#env = env
    this.#memory = memory
    this.#options = options
    this.#group = parseSlot(memory.lease.slot).group
  }

  /** Returns what commands of the app fail with in place of being handled, by their offsets. Throws FencedOut. */
  async afterPoll(items: BatchItem[]): Promise<ReadonlyMap<number, CommandError>> {
    const { faults, clock } = this.#env
    if (!faults.isSet) return none
    const refused = new Map<number, CommandError>()
    let delayMs = 0
    for (const { offset, request, ...record } of this.#recordsOf(items)) {
      const identity = `${this.#slot}@${offset}`
      const strike = faults.strike('worker.afterPoll', [record], { identity })
      if (strike === null) continue
      delayMs = Math.max(delayMs, strike.delayMs)
      if (strike.abort && request === null)
        refused.set(offset, {
          code: strike.abort.code ?? errors.tooManyRequests.code,
          message: `fault ${strike.fault}`,
        })
    }
    if (delayMs > 0) await clock.sleep(delayMs)
    await this.#kill('worker.afterPoll', this.#recordsOf(items))
    return refused
  }

  /** Before a batch's commit is made. Rejects as if the store had not been reached, or with FencedOut. */
  async beforeCommit(items: BatchItem[]): Promise<void> {
    if (this.#env.faults.isSet) await this.#atCommit('worker.beforeCommit', items)
  }

  /** After a batch's commit was made. Rejects as if its answer had been lost, or with FencedOut. */
  async afterCommit(items: BatchItem[]): Promise<void> {
    if (this.#env.faults.isSet) await this.#atCommit('worker.afterCommit', items)
  }

  /** Makes a request to the store. Rejects as if the store had not been reached, or with FencedOut. */
  async asked<T>(request: () => Promise<T>): Promise<T> {
    if (this.#env.faults.isSet) await this.#db()
    return request()
  }

  async #db(): Promise<void> {
    const { faults } = this.#env
    const request = { group: this.#group, version: this.#options.version }
    await faults.request('db', [request], this.#slot, unreached)
    await this.#kill('db', [{ ...request, offset: this.#memory.nextOffset }])
    this.#check()
  }

  get #slot(): string {
    return this.#memory.lease.slot
  }

  async #atCommit(stage: FaultStage, items: BatchItem[]): Promise<void> {
    const records = this.#recordsOf(items)
    await this.#kill(stage, records)
    if (records.length > 0) await this.#env.faults.request(stage, records, this.#slot, unreached)
    this.#check()
  }

  #recordsOf(items: BatchItem[]): (StruckRecord & Pick<BatchCommand, 'request'>)[] {
    const { version } = this.#options
    return commandsOf(items).map(({ offset, request, command: { channel, user } }) => {
      return { offset, request, channel, user, version, group: this.#group }
    })
  }

  /** Once for a record, which the lease knows before it happens. */
  async #kill(stage: FaultStage, records: StruckRecord[]): Promise<void> {
    const killing = this.#env.faults.killing(stage, this.#slot, records, this.#memory.lease.killed)
    if (killing === null) return
    if (await this.#options.killing(killing.offset)) this.#env.faults.kill(killing.fault)
    throw new FencedOut()
  }

  /** What was waited for may have lasted for longer than the ownership. */
  #check(): void {
    if (this.#options.stopped()) throw new FencedOut()
  }
}

function unreached(message: string): StoreError {
  return new StoreError('unavailable', message)
}
