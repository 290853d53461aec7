// Proves, for random histories: one that a correct cluster could produce passes, and the same with a single random
// corruption (something dropped, doubled, swapped, changed or made up) does not.
import * as fc from 'fast-check'
import t from 'tap'
import { disconnects, unsubscribes } from '../../protocol/client/codes.ts'
import { check, report } from './checker.ts'
import { HistoryBuilder } from './history-builder.ts'
import type { Operation } from './history.ts'

const clients = ['a', 'b', 'c']
const rooms = ['red', 'blue']

type Outcome = 'placed' | 'unplaced' | 'maybe, happened' | 'maybe, did not' | 'refused' | 'sent again'

type Step =
  | { kind: 'send'; client: string; room: string; outcome: Outcome }
  | { kind: 'deliver'; client: string; room: string; count: number }
  | { kind: 'reconnect' | 'insufficient'; client: string; room: string }

const client = fc.constantFrom(...clients)
const room = fc.constantFrom(...rooms)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      client,
      room,
      outcome: fc.constantFrom<Outcome[]>(
        'placed',
        'unplaced',
        'maybe, happened',
        'maybe, did not',
        'refused',
        'sent again',
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      client,
      room,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('reconnect' as const, 'insufficient' as const), client, room }),
  },
)

/** Plays steps against a cluster that makes no mistake. */
class CorrectCluster {
  readonly history = new HistoryBuilder()
  readonly #stored = new Map<string, string[]>(rooms.map((name) => [name, []]))
  readonly #positions = new Map<string, number>()
  #sent = 0

  constructor() {
    this.history.windowOpened('always', [1, unsubscribes.insufficient.code])
    for (const name of clients) {
      this.history.opened(name)
      for (const channel of rooms) this.#subscribe(name, channel, false)
    }
  }

  play(step: Step): void {
    if (step.kind === 'send') this.#send(step.client, step.room, step.outcome)
    else if (step.kind === 'deliver') this.#deliver(step.client, step.room, step.count, false)
    else if (step.kind === 'insufficient') {
      this.history.unsubscribed(step.client, step.room)
      this.#subscribe(step.client, step.room, true)
    } else {
      this.history.closed(step.client).opened(step.client)
      for (const channel of rooms) this.#subscribe(step.client, channel, true)
    }
  }

  finish(): Operation[] {
    this.history.healed()
    for (const channel of rooms) {
      for (const name of clients) this.#send(name, channel, 'placed')
      for (const name of clients) this.#deliver(name, channel, Infinity, false)
      this.history.store(this.#stored.get(channel) ?? [], channel)
    }
    return this.history.operations
  }

  #send(name: string, channel: string, outcome: Outcome): void {
    const message = `m${++this.#sent}`
    const stored = this.#stored.get(channel) ?? []
    this.history.send(name, message, 1, channel)
    if (outcome !== 'refused' && outcome !== 'maybe, did not') stored.push(message)
    if (outcome === 'placed') this.history.acknowledged(name, message, stored.length, 1, channel)
    else if (outcome === 'unplaced') this.history.acknowledged(name, message, null, 1, channel)
    else if (outcome === 'refused') this.history.refused(name, message, 1, channel)
    else this.history.maybe(name, message, 1, channel)
    if (outcome !== 'sent again') return
    this.history.send(name, message, 2, channel).acknowledged(name, message, stored.length, 2, channel)
  }

  #subscribe(name: string, channel: string, recover: boolean): void {
    const position = this.#positions.get(`${name} ${channel}`) ?? this.#stored.get(channel)?.length ?? 0
    this.#positions.set(`${name} ${channel}`, position)
    this.history.subscribed(name, position, recover ? 'recovered' : 'none', channel)
    this.#deliver(name, channel, Infinity, true)
  }

  #deliver(name: string, channel: string, count: number, recovered: boolean): void {
    const position = this.#positions.get(`${name} ${channel}`) ?? 0
    const due = (this.#stored.get(channel) ?? []).slice(position, position + count)
    for (const [index, message] of due.entries()) {
      this.history.delivery(name, message, position + index + 1, recovered, channel)
    }
    this.#positions.set(`${name} ${channel}`, position + due.length)
  }
}

type Kind = Operation['kind']
type Of<K extends Kind> = Extract<Operation, { kind: K }>

/** Changes a copy of the history in one place, chosen by `pick` in [0, 1). */
type Corruption = (operations: Operation[], pick: number) => Operation[]

/** Puts what `change` makes of one operation of a kind in its place. */
function replaceOne<K extends Kind>(kind: K, change: (operation: Of<K>) => Operation[]): Corruption {
  return (operations, pick) => {
    const candidates = operations.filter((operation): operation is Of<K> => operation.kind === kind)
    const chosen = candidates[Math.floor(pick * candidates.length)]
    return operations.flatMap((operation) => (operation === chosen ? change(chosen) : [operation]))
  }
}

/** Exchanges the messages of two neighbours of a kind. */
function swapTwo(kind: 'delivery' | 'stored'): Corruption {
  return (operations, pick) => {
    const all = operations.filter((operation): operation is Of<typeof kind> => operation.kind === kind)
    const groups = Map.groupBy(
      all,
      (operation) => ('client' in operation ? `${operation.client} ` : '') + operation.channel,
    )
    const pairs = [...groups.values()].flatMap((group) => group.slice(1).map((second, index) => [group[index], second]))
    const [first, second] = pairs[Math.floor(pick * pairs.length)] ?? []
    if (first === undefined || second === undefined) throw new Error('nothing to swap')
    return operations.map((operation) => {
      if (operation === first) return { ...first, message: second.message, body: second.body }
      if (operation === second) return { ...second, message: first.message, body: first.body }
      return operation
    })
  }
}

const corruptions: Record<string, Corruption> = {
  'a delivery dropped': replaceOne('delivery', () => []),
  'a stored message dropped': replaceOne('stored', () => []),
  'an answer dropped': replaceOne('acknowledged', () => []),
  'a delivery doubled': replaceOne('delivery', (delivery) => [delivery, delivery]),
  'a stored message doubled': replaceOne('stored', (stored) => [stored, { ...stored, offset: stored.offset + 1 }]),
  'two deliveries swapped': swapTwo('delivery'),
  'two stored messages swapped': swapTwo('stored'),
  'a delivery made up': replaceOne('delivery', (delivery) => [{ ...delivery, message: 'never sent' }]),
  'a stored message made up': replaceOne('stored', (stored) => [{ ...stored, message: 'never sent' }]),
  'a body changed': replaceOne('delivery', (delivery) => [{ ...delivery, body: 'another' }]),
  'an epoch changed': replaceOne('stored', (stored) => [{ ...stored, epoch: 'another' }]),
  'a socket closed': replaceOne('healed', (healed) => [
    healed,
    { kind: 'closed', at: healed.at, client: 'a', code: disconnects.slow.code, reason: '' },
  ]),
}

function play(steps: Step[]): Operation[] {
  const cluster = new CorrectCluster()
  for (const step of steps) cluster.play(step)
  return cluster.finish()
}

void t.test('a correct history passes', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const findings = check(play(steps))
      if (findings.length > 0) throw new Error(report(findings))
    }),
    { numRuns: 200 },
  )
  t.pass()
})

for (const [name, corrupt] of Object.entries(corruptions)) {
  void t.test(`${name}: found`, async (t) => {
    const pick = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30, size: 'max' }),
        pick,
        (steps, pick) => check(corrupt(play(steps), pick)).length > 0,
      ),
      { numRuns: 100 },
    )
    t.pass()
  })
}
