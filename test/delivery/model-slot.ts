/** A model of a slot, for tests of a proxy alone. */
import type { MemoryLogData } from '../../log/memory/memory-log.ts'
import { encodeAnswer } from '../../protocol/records/answer.ts'
import { decodeCommand } from '../../protocol/records/command.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import { inboxTopic } from '../../protocol/records/topics.ts'
import { commands, onlySlot } from '../harness/by-hand.ts'
import { encodeEvents } from '../support/records.ts'

export const epochOf = (channel: string): string => `epoch of ${channel}`

/** Publications in one answer. */
const pageMax = 2

const as = { slot: onlySlot, worker: 'model', version: 'model' }

/**
 * What a slot is to a proxy, in its simplest form: it handles commands in the order of the log, whenever the test says
 * so, and its events arrive later, in order, whenever the test says so. Answers of reads go their own way.
 */
export class ModelSlot {
  readonly interest = new Map<string, boolean>()
  readonly tops = new Map<string, number>()
  readonly #log: MemoryLogData
  /** The one proxy. */
  readonly #instance: string
  #next = 0
  #events: SlotEvent[] = []
  #answers: Buffer[] = []

  constructor(log: MemoryLogData, instance: string) {
    this.#log = log
    this.#instance = instance
  }

  /** Handles up to `count` commands of the log. */
  handle(count: number): void {
    for (const { offset, value } of this.#log.read(commands, 0, this.#next).slice(0, count)) {
      this.#command(offset, decodeCommand(value))
      this.#next = offset + 1
    }
  }

  /** Lets up to `count` events arrive. */
  deliver(count: number): void {
    const events = this.#events.splice(0, count)
    if (events.length > 0) this.#append(encodeEvents({ type: 'events', incarnation: 0, ...as, events }))
  }

  answer(count: number): void {
    for (const answer of this.#answers.splice(0, count)) this.#append(answer)
  }

  get isQuiet(): boolean {
    return this.#next === this.#log.range(commands, 0).next && this.#events.length === 0 && this.#answers.length === 0
  }

  #append(value: Buffer): void {
    this.#log.append(inboxTopic, 0, [{ key: null, value }])
  }

  #command(offset: number, { method, channel, n, instance, payload }: CommandRecord): void {
    const at = { offset, index: 0, to: [instance] }
    const stream = { channel, epoch: epochOf(channel), top: this.tops.get(channel) ?? 0 }
    switch (method) {
      case 'subscribe':
        this.interest.set(channel, true)
        this.#events.push({ kind: 'subscribed', ...at, n, ...stream })
        return
      case 'close':
        this.interest.set(channel, false)
        this.#events.push({ kind: 'reply', ...at, n, error: null, body: Buffer.from('{}') })
        return
      case 'publish': {
        const top = stream.top + 1
        this.tops.set(channel, top)
        const body = Buffer.from(JSON.stringify({ offset: top, data: top }))
        if (!this.interest.get(channel)) return
        this.#events.push({
          kind: 'publication',
          offset,
          index: 0,
          to: [this.#instance],
          ...stream,
          top,
          time: 1,
          body,
        })
        return
      }
      case 'tops': {
        const names = JSON.parse(payload.toString()) as string[]
        const tops = names.map((name): [string, string, number] => [name, epochOf(name), this.tops.get(name) ?? 0])
        this.#events.push({ kind: 'tops', ...at, n, tops })
        return
      }
      case 'recover': {
        const { after, upTo } = JSON.parse(payload.toString()) as { after: number; upTo: number }
        const missed = Array.from({ length: Math.min(pageMax, upTo - after) }, (_, i) =>
          JSON.stringify({ offset: after + i + 1, data: after + i + 1 }),
        )
        this.#answers.push(
          encodeAnswer({
            type: 'answer',
            ...as,
            to: instance,
            n,
            error: null,
            part: null,
            body: Buffer.from(missed.join(',')),
          }),
        )
        return
      }
      default:
        throw new Error(`the model knows no ${method}`)
    }
  }
}
