/**
 * Proves what an owner does with its slot, one store and one log in memory: what came meanwhile is the next batch; nothing
 * goes out before its commit; acknowledged rows leave the outbox when the slot is idle; a suspect is noted and tried alone;
 * and whoever stops finishes what is under way, lets go and leaves the rest to the next one. What becomes of a slot whose
 * owner dies, wakes late or meets a store that refuses stands in test/delivery.
 */
import t from 'tap'
import type { Test } from 'tap'
import { chat } from '../../../apps/chat/chat.ts'
import { clusterTopics } from '../../../cluster/topics.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { Mutex } from '../../../platform/mutex.ts'
import type { App } from '../../../protocol/app/contract.ts'
import type { CommandRecord } from '../../../protocol/records/command.ts'
import { commandTopic, defaultGroup, inboxTopic } from '../../../protocol/records/topics.ts'
import { slotId } from '../../../protocol/slot.ts'
import { StoreError } from '../../../store/errors.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import type { Commit } from '../../../store/store.ts'
import { Lanes } from '../../../worker/emit/lanes.ts'
import { Reads } from '../../../worker/emit/reads.ts'
import { Counters } from '../../../worker/slot/counters.ts'
import { Halted } from '../../../worker/slot/errors.ts'
import { Slot, idleFlushMs } from '../../../worker/slot/slot.ts'
import type { SlotDeps, SlotEnd } from '../../../worker/slot/slot.ts'
import { take, warm } from '../../../worker/slot/takeover.ts'
import type { TakenSlot } from '../../../worker/slot/takeover.ts'
import { testEnv } from '../../harness/env.ts'
import { testConfig } from '../../harness/settings.ts'
import { Gate } from '../../support/gate.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { commandOf } from '../../support/records.ts'
import { until } from '../../support/until.ts'

const commands = commandTopic(defaultGroup)

/** A worker's slots without the worker: gates hold its commits and its way to the inboxes. */
class Rig implements AsyncDisposable {
  readonly clock = new ManualClock()
  readonly data = new MemoryLogData()
  readonly commitGate = new Gate()
  readonly inboxGate = new Gate()
  /** What the store was asked for, in order: each commit from where to where, and each record that was tried. */
  readonly asked: string[] = []
  /** Called with each commit; may throw what the store answers. */
  committing: (commit: Commit) => void = () => {}
  readonly store
  readonly #deps: SlotDeps
  readonly #lanes: Lanes
  readonly #owned: { slot: Slot; end: Promise<SlotEnd> }[] = []
  #n = 0

  constructor({ app = chat, batchMax = 100 }: { app?: App; batchMax?: number } = {}) {
    this.data.createTopics(clusterTopics(testConfig({ 'topics.slots': '2', 'topics.inbox_partitions': '1' })))
    const log = new MemoryLog(this.data, {
      beforeAppend: (topic) => (topic === inboxTopic ? this.inboxGate.pass() : undefined),
    })
    this.store = memoryStore(new MemoryStoreData(), {
      beforeCommit: (request, values) => {
        if (request === 'markTrying') this.asked.push(`try ${String(values[2])}`)
        if (request !== 'commit') return
        const commit = values[0] as Commit
        const isTidying = commit.next === commit.expected
        this.asked.push(isTidying ? `tidy ${commit.outboxDone.length}` : `${commit.expected} to ${commit.next}`)
        this.committing(commit)
        return this.commitGate.pass()
      },
    })
    const env = testEnv({ clock: this.clock, log, store: this.store })
    this.#lanes = new Lanes(env, 1, 1_000_000)
    const reads = new Reads(env, app, this.#lanes, { worker: 'w', version: 'v', concurrency: 1, deadlineMs: 1_000 })
    const as = { worker: 'w', version: 'v', counters: new Counters() }
    const own = { ...as, batchMax, careful: new Mutex(), steppedDown: new Map() }
    this.#deps = { env, app, lanes: this.#lanes, reads, ...own }
  }

  /** Becomes the owner of a slot and runs it. */
  async own(partition = 0, suspicion: Partial<TakenSlot> = {}): Promise<{ slot: Slot; end: Promise<SlotEnd> }> {
    const { env } = this.#deps
    await env.store.migrate()
    await env.store.createGroup(defaultGroup, 2, 'by hand')
    const warmed = (await warm(env, slotId(defaultGroup, partition), 10, () => false))!
    const as = { owner: 'w', version: 'v', epoch: warmed.lease.epoch, announced: null }
    const taken = (await take(env, warmed, as, () => false))!
    const slot = new Slot(this.#deps, { ...taken, ...suspicion }, async () => true)
    const owned = { slot, end: slot.run() }
    owned.end.catch(() => {})
    this.#owned.push(owned)
    return owned
  }

  /** Commands come into the log of a slot. */
  append(count: number, given: Partial<CommandRecord> = {}, partition = 0): void {
    const one = () => ({ key: null, value: commandOf({ channel: 'room', n: ++this.#n, ...given }) })
    this.data.append(commands, partition, Array.from({ length: count }, one))
  }

  lease(partition = 0) {
    return this.store.lease(slotId(defaultGroup, partition))
  }

  /** Waits until the store has been asked for so much. */
  async done(t: Test, ...asked: string[]): Promise<void> {
    await until(asked.join(', '), () => this.asked.length >= asked.length)
    t.strictSame(this.asked, asked)
  }

  get inInboxes(): number {
    return this.data.range(inboxTopic, 0).next
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.commitGate.open()
    this.inboxGate.open()
    for (const { slot } of this.#owned) slot.crash()
    await Promise.allSettled(this.#owned.map(({ end }) => end))
    this.#lanes.stop()
  }
}

void t.test('a batch is what came while the one before was under way, and no longer than it may be', async (t) => {
  await using rig = new Rig({ batchMax: 3 })
  const { slot } = await rig.own()
  rig.commitGate.shut()
  rig.append(1)
  await until('it is being committed', () => rig.commitGate.held === 1)
  rig.append(4)
  rig.clock.advance(500)
  t.equal(slot.waitingMs, 500)
  rig.commitGate.open()
  await rig.done(t, '0 to 1', '1 to 4', '4 to 5')
  await until('all is handled', () => slot.nextOffset === 5)
  t.strictSame([slot.inFlight, slot.waitingMs], [0, 0])
})

void t.test('what a batch has to say goes out once it is committed, and not before', async (t) => {
  await using rig = new Rig()
  const { slot } = await rig.own()
  rig.commitGate.shut()
  rig.append(1, { method: 'subscribe' })
  await until('it is being committed', () => rig.commitGate.held === 1)
  t.strictSame([rig.inInboxes, slot.outboxRows], [0, 0])
  rig.commitGate.open()
  await until('it is out', () => rig.inInboxes === 1)
  t.equal(slot.outboxRows, 1, 'the store keeps it until the log is known to have it, and a little longer')
})

void t.test('an idle slot deletes what is acknowledged', async (t) => {
  await using rig = new Rig()
  const { slot } = await rig.own()
  rig.append(1, { method: 'subscribe' })
  await until('it is out', () => rig.inInboxes === 1)
  await new Promise((resolve) => setImmediate(resolve))
  rig.clock.advance(idleFlushMs - 1)
  await rig.done(t, '0 to 1')
  rig.clock.advance(1)
  await rig.done(t, '0 to 1', 'tidy 1')
  await until('it is gone', () => slot.outboxRows === 0)
  t.equal((await rig.lease()).nextOffset, 1, 'and stays where it is')
})

void t.test('an owner that stops finishes its batch, empties the outbox, lets go, and leaves the rest', async (t) => {
  await using rig = new Rig()
  const { slot, end } = await rig.own()
  rig.commitGate.shut()
  rig.inboxGate.shut()
  rig.append(1, { method: 'subscribe' })
  await until('it is being committed', () => rig.commitGate.held === 1)
  slot.stop()
  rig.append(1)
  rig.commitGate.open()
  await until('it is going out', () => rig.inboxGate.held === 1)
  t.equal((await rig.lease()).owner, 'w', 'not while anything of it is under way')
  rig.inboxGate.open()
  t.equal(await end, 'released')
  t.strictSame(rig.asked, ['0 to 1', 'tidy 1'])
  t.match(await rig.lease(), { owner: null, nextOffset: 1 })
})

void t.test('one whose app hangs can be given up, and lets go of nothing', async (t) => {
  const app: App = { ...chat, handle: () => new Promise(() => {}) }
  await using rig = new Rig({ app })
  const { slot, end } = await rig.own()
  rig.append(1)
  await until('it is shown to the app', () => slot.inFlight === 1)
  slot.crash()
  t.equal(await end, 'fenced')
  t.match(await rig.lease(), { owner: 'w', nextOffset: 0 })
  t.strictSame(rig.asked, [])
})

void t.test('whose lease has another token by now is fenced, and nothing of it goes out', async (t) => {
  await using rig = new Rig()
  const { end } = await rig.own()
  const seen = await rig.lease()
  const wish = { slot: seen.slot, seen, token: 'another', owner: 'v', version: 'v', announced: null }
  t.ok(await rig.store.acquire(wish))
  rig.append(1, { method: 'subscribe' })
  t.equal(await end, 'fenced')
  t.equal(rig.inInboxes, 0)
})

void t.test('a suspect is noted before it is tried, and tried alone', async (t) => {
  await using rig = new Rig()
  rig.append(4)
  await rig.own(0, { suspicion: { carefulUntil: 2, setAside: null } })
  await rig.done(t, 'try 0', '0 to 1', 'try 1', '1 to 2', '2 to 4')
})

void t.test('while one slot tries a suspect, no other one tries its own', async (t) => {
  await using rig = new Rig()
  rig.commitGate.shut()
  for (const partition of [0, 1]) rig.append(1, {}, partition)
  const suspicion = { carefulUntil: 1, setAside: null }
  await rig.own(0, { suspicion })
  await until('the first is being committed', () => rig.commitGate.held === 1)
  const { slot } = await rig.own(1, { suspicion })
  await until('it has its record', () => slot.inFlight === 1)
  await new Promise((resolve) => setImmediate(resolve))
  rig.asked.push('the gate opens')
  rig.commitGate.open()
  await rig.done(t, 'try 0', '0 to 1', 'the gate opens', 'try 0', '0 to 1')
})

void t.test(
  'an owner whose rows are there already gives the slot up, and the next one at that place halts',
  async (t) => {
    await using rig = new Rig()
    rig.committing = () => {
      throw new StoreError('duplicate', 'a message of that offset exists')
    }
    rig.append(1)
    const first = await rig.own()
    t.equal(await first.end, 'fenced')
    t.equal((await rig.lease()).owner, null, 'what it believed may be wrong: the next one starts from the rows')
    const second = await rig.own()
    await t.rejects(second.end, Halted)
    t.match(await rig.lease(), { owner: 'w', nextOffset: 0 })
  },
)
