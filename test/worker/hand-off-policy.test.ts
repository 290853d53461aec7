// Proves what a DestinationRule's slotHandoff does to one hand-off: a successor says that it is ready when the slot has
// little left to handle, or has had its time; and an owner that does not let go is fenced after the time it is given.
import t from 'tap'
import type { ControlRecord } from '../../protocol/records/control.ts'
import { nearLookMs } from '../../worker/ownership.ts'
import type { Worker } from '../../worker/worker.ts'
import {
  announcements,
  clusterByHand,
  commands,
  give,
  handled,
  hint,
  newestBeat,
  onlySlot,
} from '../harness/by-hand.ts'
import type { InProcessCluster } from '../harness/in-process-cluster.ts'
import { Gate } from '../support/gate.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { commandOf } from '../support/records.ts'
import { until } from '../support/until.ts'

type Handoff = Pick<Extract<ControlRecord, { type: 'move' }>, 'drainMs' | 'warmup'>

const quiesceMs = 2_000
const hourMs = 3_600_000
/** Commands that the owner cannot commit. */
const lag = 5

/** A owns the slot and is held in its commits, with `lag` commands to go; B, whose time the test leads, is to follow. */
class HandOff implements AsyncDisposable {
  readonly cluster: InProcessCluster
  readonly clock = new ManualClock()
  readonly commits = new Gate()
  a!: Worker
  b!: Worker
  /** Of B to the store. */
  readonly asked: string[] = []

  private constructor(cluster: InProcessCluster) {
    this.cluster = cluster
  }

  static async begin(handoff: Handoff): Promise<HandOff> {
    const cluster = await clusterByHand({ 'worker.quiesce_timeout': `${quiesceMs}ms` })
    const made = new HandOff(cluster)
    const { commits, asked, clock } = made
    const held = (request: string) => (request === 'commit' ? commits.pass() : undefined)
    made.a = await cluster.worker({ handles: cluster.handles({}, { beforeCommit: held }) })
    const { env } = cluster.handles({}, { beforeCommit: (request) => void asked.push(request) })
    made.b = await cluster.worker({ handles: { env: { ...env, clock } } })
    await give(cluster, made.a)
    const send = (n: number) =>
      cluster.logData.append(commands, 0, [{ key: null, value: commandOf({ channel: 'room', n }) }])
    send(1)
    await handled(cluster)
    commits.shut()
    for (let n = 2; n < 2 + lag; n++) send(n)
    await until('A commits', () => commits.held > 0)
    const { epoch } = await cluster.store.lease(onlySlot)
    const [from, to] = [made.a.id, made.b.id]
    hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from, to, announced: null, ...handoff })
    return made
  }

  get isWarm(): boolean {
    return announcements(this.cluster).some((record) => record.type === 'warmed' && record.worker === this.b.id)
  }

  get hasAcquired(): boolean {
    return this.asked.includes('acquire')
  }

  /** Until B has looked how far the slot is, several times. */
  async looksOn(): Promise<void> {
    for (let looks = 0; looks < 5; looks++) {
      const before = this.asked.length
      await until('B looks', () => {
        if (this.asked.length === before) this.clock.advance(nearLookMs)
        return this.asked.length > before
      })
    }
  }

  /** B's time goes on, and B has done what it does then. */
  async pass(ms: number): Promise<void> {
    const { beat } = newestBeat(this.cluster, this.b)
    this.clock.advance(ms)
    await until('B has gone on', () => newestBeat(this.cluster, this.b).beat > beat)
  }

  /** How B got the slot. */
  async acquired(): Promise<unknown> {
    await this.cluster.owned([this.b])
    return until('B says so', () =>
      announcements(this.cluster).find((record) => record.type === 'acquired' && record.worker === this.b.id),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.commits.open()
    await this.cluster[Symbol.asyncDispose]()
  }
}

t.test('a successor waits while more than maxLagMessages are left to handle', async (t) => {
  await using handOff = await HandOff.begin({ drainMs: hourMs, warmup: { lagMax: lag - 1, timeoutMs: hourMs } })
  await handOff.looksOn()
  t.notOk(handOff.isWarm)
  handOff.commits.open()
  await until('it is near', () => {
    handOff.clock.advance(nearLookMs)
    return handOff.isWarm
  })
  t.match(await handOff.acquired(), { kind: 'planned', from: handOff.a.id })
})

t.test('one that is near enough is ready at once', async (t) => {
  await using handOff = await HandOff.begin({ drainMs: hourMs, warmup: { lagMax: lag, timeoutMs: hourMs } })
  await until('it is ready, in no time', () => handOff.isWarm)
  handOff.commits.open()
  t.match(await handOff.acquired(), { kind: 'planned' })
})

t.test('after the time of the warm-up it is ready, however much is left', async (t) => {
  const timeoutMs = 10_000
  await using handOff = await HandOff.begin({ drainMs: hourMs, warmup: { lagMax: 0, timeoutMs } })
  await handOff.looksOn()
  t.notOk(handOff.isWarm)
  handOff.clock.advance(timeoutMs)
  await until('it has had its time', () => handOff.isWarm)
  handOff.commits.open()
  t.match(await handOff.acquired(), { kind: 'planned' })
})

t.test('an owner that does not let go is fenced after drainTimeout, be that longer than usual', async (t) => {
  const drainMs = 3 * quiesceMs
  await using handOff = await HandOff.begin({ drainMs })
  await until('B is ready', () => handOff.isWarm)
  await handOff.pass(quiesceMs)
  t.notOk(handOff.hasAcquired, 'it has more time than usual')
  await handOff.pass(drainMs - quiesceMs)
  t.match(await handOff.acquired(), { kind: 'takeover', from: handOff.a.id })
})

t.test('or shorter', async (t) => {
  const drainMs = quiesceMs / 2
  await using handOff = await HandOff.begin({ drainMs })
  await until('B is ready', () => handOff.isWarm)
  await handOff.pass(drainMs)
  t.match(await handOff.acquired(), { kind: 'takeover' })
})

t.test('without a drainTimeout it has the time that is configured', async (t) => {
  await using handOff = await HandOff.begin({})
  await until('B is ready', () => handOff.isWarm)
  await handOff.pass(quiesceMs / 2)
  t.notOk(handOff.hasAcquired)
  await handOff.pass(quiesceMs / 2)
  t.match(await handOff.acquired(), { kind: 'takeover' })
})

t.test('an owner that died is not waited for, however much it has left to handle', async (t) => {
  await using handOff = await HandOff.begin({ drainMs: hourMs, warmup: { lagMax: 0, timeoutMs: hourMs } })
  await handOff.looksOn()
  const { cluster, b, clock } = handOff
  const { epoch } = await cluster.store.lease(onlySlot)
  hint(cluster, { type: 'move', term: 1, slot: onlySlot, epoch, from: null, to: b.id, announced: null })
  await until('B takes it', () => {
    clock.advance(nearLookMs)
    return handOff.hasAcquired
  })
  t.notOk(handOff.isWarm, 'there is nobody to tell so')
  t.match(await handOff.acquired(), { kind: 'takeover' })
})
