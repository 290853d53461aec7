/** Many real clients of a cluster of real processes, and the history of what they do and see. */
import { check, report } from '../../checker/checker.ts'
import type { Finding } from '../../checker/finding.ts'
import type { Operation } from '../../checker/history.ts'
import { until } from '../../support/until.ts'
import { tokenFor } from '../tokens.ts'
import { promptMs } from './harm.ts'
import { Load } from './load.ts'
import { Member } from './member.ts'

export interface FleetOptions {
  /** Where proxies are; clients spread over them. */
  urls: string[]
  /** Put before every room's name: two fleets of one cluster never meet. */
  name: string
  /** Clients that stay in their rooms. */
  clients?: number
  rooms?: number
  /** Of every second room; null for none. */
  namespace?: string | null
  roomsPerClient?: number
  sendsPerSecond?: number
  /** Clients that come and go: pairs of them share two rooms that are else empty. */
  visitors?: number
}

/** Clients that connect at the same time while a fleet starts. */
const connectingMax = 25

/**
 * Many real clients, each in a few rooms, that send at a steady rate. What they do and see goes into `operations`.
 */
export class Fleet implements Disposable {
  readonly operations: Operation[] = []
  readonly #members: Member[] = []
  readonly #visitors: Member[] = []
  readonly #rooms: string[]
  readonly #options: Required<FleetOptions>
  /** Attempts without an outcome, in the order in which they were made, and when. */
  readonly #underWay = new Map<string, number>()
  #load: Load | null = null

  private constructor(options: FleetOptions) {
    const usual = { clients: 200, rooms: 40, roomsPerClient: 3, sendsPerSecond: 120, visitors: 8, namespace: null }
    this.#options = { ...usual, ...options }
    const prefixOf = (index: number) =>
      this.#options.namespace !== null && index % 2 === 1 ? `${this.#options.namespace}:` : ''
    this.#rooms = Array.from(
      { length: this.#options.rooms },
      (_, index) => `${prefixOf(index)}${options.name}-${index}`,
    )
  }

  /** Connects all clients and waits until every one is subscribed to its rooms. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    const { clients } = fleet.#options
    for (let first = 0; first < clients; first += connectingMax) {
      const count = Math.min(connectingMax, clients - first)
      await Promise.all(Array.from({ length: count }, (_, index) => fleet.#join(first + index)))
      await fleet.connected()
    }
    for (let index = 0; index < fleet.#options.visitors; index++) await fleet.#joinVisitor(index)
    await fleet.connected()
    return fleet
  }

  /** Names of all rooms. */
  get rooms(): readonly string[] {
    return this.#rooms
  }

  get #everybody(): Member[] {
    return [...this.#members, ...this.#visitors]
  }

  /** Starts the steady load. */
  startLoad(): void {
    this.#load = new Load(this.#members, this.#visitors, this.#options)
  }

  /** Stops the load and waits until every message has its outcome. */
  async stopLoad(): Promise<void> {
    await this.#load?.stop()
    this.#load = null
  }

  /** Waits until `count` more messages were acknowledged: traffic flows. */
  async flows(count = 60, deadlineMs = 10_000): Promise<void> {
    let seen = this.operations.length
    let acknowledged = 0
    await until(
      `${count} more messages to be acknowledged`,
      () => {
        for (; seen < this.operations.length; seen++) {
          if (this.operations[seen]?.kind === 'acknowledged') acknowledged += 1
        }
        return acknowledged >= count
      },
      deadlineMs,
    )
  }

  /** Waits until every client is connected and subscribed. */
  async connected(deadlineMs = 20_000): Promise<void> {
    await until(
      'every client to be subscribed',
      () => this.#everybody.every((member) => member.isSubscribed),
      deadlineMs,
    )
  }

  /**
   * From now until close(), sockets may close, and clients be taken out of channels, with one of `codes` (as the SDK
   * names them; 1 = transport closed).
   */
  mayClose(name: string, codes: number[]): { close: () => void } {
    this.#record({ kind: 'window-opened', at: performance.now(), name, codes })
    return { close: () => this.#record({ kind: 'window-closed', at: performance.now(), name }) }
  }

  note(text: string): void {
    this.#record({ kind: 'note', at: performance.now(), text })
  }

  /** True when every answer so far was a clear one. */
  get clear(): boolean {
    return this.operations.every((operation) => operation.kind !== 'maybe')
  }

  /**
   * All faults are over: waits until everybody is back and what has piled up is worked off, and asks for clear answers
   * from here on.
   */
  async healed(): Promise<void> {
    await this.connected()
    await until(`answers within ${promptMs} ms`, () => this.#oldestMs < promptMs, 30_000)
    this.#record({ kind: 'healed', at: performance.now() })
  }

  /**
   * Stops the load, reads the whole store through the API, waits until every client has all of it, and checks the
   * history. Returns an empty string, or what is wrong.
   */
  async verdict(): Promise<string> {
    const findings = await this.findings()
    return findings.length === 0 ? '' : report(findings)
  }

  /** As verdict(), one by one. */
  async findings(): Promise<Finding[]> {
    await this.stopLoad()
    const tops = await this.#readStore()
    const complete = (): boolean =>
      this.#everybody.every((member) => [...member.rooms].every(([room, { offset }]) => offset === tops.get(room)))
    // When it does not come about, the checker names what is missing.
    await until('every client to be at the top', complete, 5_000).catch(() => undefined)
    return check(this.operations)
  }

  /** What happened, in one line. */
  summary(): string {
    const kinds = Map.groupBy(this.operations, (operation) => operation.kind)
    const count = (kind: Operation['kind']): number => kinds.get(kind)?.length ?? 0
    const refusals = this.operations.filter((operation) => operation.kind === 'refused')
    const codes = [...new Set(refusals.map(({ code, reason }) => `${code} ${reason}`))].join(', ')
    const recovered = this.operations.filter((operation) => operation.kind === 'delivery' && operation.recovered).length
    return (
      `${count('send')} sends: ${count('acknowledged')} acknowledged, ${count('maybe')} maybe, ` +
      `${count('refused')} refused${codes === '' ? '' : ` (${codes})`}; ${count('delivery')} deliveries, ${recovered} of them recovered; ` +
      `${count('closed')} closes, ${count('unsubscribed')} unsubscribes`
    )
  }

  [Symbol.dispose](): void {
    this.#load?.[Symbol.dispose]()
    for (const member of this.#everybody) member.close()
  }

  async #join(index: number): Promise<void> {
    const { name, roomsPerClient } = this.#options
    const member = await this.#member(`${name}-user-${index}`, index)
    this.#members.push(member)
    for (let turn = 0; turn < roomsPerClient; turn++) {
      const room = this.#rooms[(index * roomsPerClient + turn * (1 + (index % 7))) % this.#rooms.length]
      if (room !== undefined && !member.rooms.has(room)) member.enter(room)
    }
  }

  async #joinVisitor(index: number): Promise<void> {
    const { name } = this.#options
    const visitor = await this.#member(`${name}-visitor-${index}`, index)
    this.#visitors.push(visitor)
    for (const side of ['left', 'right']) {
      const room = `${name}-visit-${Math.floor(index / 2)}-${side}`
      if (index % 2 === 0) this.#rooms.push(room)
      visitor.enter(room)
    }
  }

  async #member(name: string, first: number): Promise<Member> {
    const token = await tokenFor(name, { expiresIn: 3_600 })
    return new Member({
      name,
      urls: this.#options.urls,
      first,
      token,
      record: (operation) => this.#record(operation),
    })
  }

  /** Reads every room to its end; returns the tops. */
  async #readStore(): Promise<Map<string, number>> {
    const tops = new Map<string, number>()
    for (const room of this.#rooms) {
      const reader = this.#everybody.find((member) => member.rooms.has(room))
      if (reader !== undefined) tops.set(room, await reader.readStore(room))
    }
    return tops
  }

  /** For how long the oldest attempt has had no outcome yet. */
  get #oldestMs(): number {
    const [oldest = Infinity] = this.#underWay.values()
    return performance.now() - oldest
  }

  #record(operation: Operation): void {
    this.operations.push(operation)
    const { kind } = operation
    if (kind === 'send') this.#underWay.set(attemptOf(operation), operation.at)
    else if (kind === 'acknowledged' || kind === 'maybe' || kind === 'refused') {
      this.#underWay.delete(attemptOf(operation))
    }
  }
}

function attemptOf({ message, attempt }: { message: string; attempt: number }): string {
  return `${message} ${attempt}`
}
