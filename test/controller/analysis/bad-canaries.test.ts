/**
 * Proves that the built-in counters alone find bad canaries: each app is driven as a worker drives it, beside the chat as
 * the stable version, its counters go the way of heartbeats, and the template that every rollout has must end as Failed;
 * with a canary as good as the stable version it must not. Prints how many commands it takes and how many rooms it harms.
 */
import t from 'tap'
import { chat } from '../../../apps/chat/chat.ts'
import { delivery } from '../../../controller/analysis/delivery.ts'
import { Measurer, silentMs } from '../../../controller/analysis/measurer.ts'
import type { WantedRun } from '../../../controller/analysis/measurer.ts'
import type { App, AppCommand, Stream } from '../../../protocol/app/contract.ts'
import { advance, draftOf } from '../../../protocol/app/fold.ts'
import { decodeStatus, encodeStatus } from '../../../protocol/records/status.ts'
import { Counters } from '../../../worker/slot/counters.ts'
import { handleCommands } from '../../../worker/slot/handle.ts'
import { testEnv } from '../../harness/env.ts'
import { app as drops } from '../../harness/fixtures/canaries/drops.ts'
import { app as errs } from '../../harness/fixtures/canaries/errs.ts'
import { app as wrongOffset } from '../../harness/fixtures/canaries/wrong-offset.ts'
import { Seeded } from '../../simulation/seeded.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { lognormal } from './draws.ts'

const versions = { stable: 'v1', canary: 'v2' }
const wanted: WantedRun = { key: 'r/1', rollout: 'r', templates: [delivery], args: {}, ...versions }

/** Rooms of each version, and commands that they have together in one beat. */
interface Traffic {
  rooms: number
  commands: number
}
const traffic: Record<string, Traffic> = { v1: { rooms: 90, commands: 180 }, v2: { rooms: 10, commands: 20 } }
const beatMs = 400

/** A worker without slots: what it handles it only counts. */
class CountedWorker {
  readonly counters = new Counters()
  readonly harmed = new Set<string>()
  commands = 0
  #beat = 0
  readonly #streams = new Map<string, Stream>()
  readonly #random: Seeded
  readonly #version: string
  readonly #id: string

  constructor(version: string, seed: string) {
    this.#version = version
    this.#id = `w-${version}`
    this.#random = new Seeded(`${seed} ${version}`)
  }

  /** Handles what comes between two heartbeats, in batches of ten. */
  async work(app: App, medianMs: number, rooms: readonly string[], commands: number): Promise<void> {
    for (let at = 0; at < commands; at += 10) {
      const batch = Array.from({ length: 10 }, () =>
        this.#command(rooms[Math.floor(this.#random.float() * rooms.length)]!),
      )
      const channels = new Map(batch.map(({ channel }) => [channel, this.#stream(channel)]))
      const state = { worker: this.#id, version: this.#version, channels, known: new Map() }
      const outcomes = await handleCommands(app, state, batch)
      const tookMs = lognormal(this.#random, medianMs, 0.5)
      this.counters.handled({ app, state, commands: batch, outcomes, tookMs })
      this.counters.committed(
        batch.map(({ channel }) => channel),
        tookMs + 3,
      )
      this.commands += batch.length
      const draft = draftOf(state)
      for (const [index, { effects }] of outcomes.entries()) {
        advance(draft, effects)
        const isWell = effects.some(({ type }) => type === 'publish' || type === 'read')
        if (!isWell || app === wrongOffset) this.harmed.add(batch[index]!.channel)
      }
      for (const [channel, stream] of draft.channels) this.#streams.set(channel, stream)
    }
  }

  /** The next heartbeat, as it comes out of the log. */
  get beat() {
    return decodeStatus(
      encodeStatus({
        type: 'heartbeat',
        role: 'worker',
        id: this.#id,
        pid: 1,
        version: this.#version,
        internal: { host: 'h', port: 1 },
        beat: ++this.#beat,
        state: 'live',
        slots: [],
        claimed: [],
        inFlight: 0,
        outbox: 0,
        counters: this.counters.work,
        rooms: this.counters.takeRooms(),
      }),
    )
  }

  #stream(channel: string): Stream {
    return this.#streams.get(channel) ?? { epoch: 'e', top: 0, lastTime: 0 }
  }

  #command(channel: string): AppCommand {
    const isSend = this.#random.float() < 0.5
    const data = isSend ? { channel, key: this.#random.hex(8), data: 'hello' } : 'hello'
    return {
      channel,
      method: isSend ? 'chat.send' : 'publish',
      user: 'u',
      session: 's',
      connInfo: null,
      time: 1,
      seed: this.#random.hex(12),
      history: { size: 10, ttlMs: 60_000 },
      data: Buffer.from(JSON.stringify(data)),
    }
  }
}

interface Canary {
  app: App
  /** Time that a batch takes in the app, in half of all cases. */
  medianMs: number
}

const good: Canary = { app: chat, medianMs: 4 }

/** Runs both versions beside each other until the analysis is over, or for so many beats. */
async function judge(canary: Canary, seed: string, beatsMax: number, stableApp = chat) {
  const clock = new ManualClock()
  const measurer = new Measurer(testEnv({ clock }))
  const [stable, other] = [new CountedWorker('v1', seed), new CountedWorker('v2', seed)]
  const rooms = Array.from({ length: 100 }, (_, index) => `room-${index}`)
  // All rooms have a past with the stable version.
  for (let beat = 0; beat < 40; beat++) {
    await stable.work(stableApp, good.medianMs, rooms, 200)
    measurer.heard(stable.beat)
    clock.advance(beatMs)
  }
  measurer.look([wanted])
  for (let beat = 1; beat <= beatsMax; beat++) {
    await stable.work(stableApp, good.medianMs, rooms.slice(traffic['v2']!.rooms), traffic['v1']!.commands)
    await other.work(canary.app, canary.medianMs, rooms.slice(0, traffic['v2']!.rooms), traffic['v2']!.commands)
    for (const worker of [stable, other]) measurer.heard(worker.beat)
    clock.advance(beatMs)
    const { phase, message } = measurer.look([wanted]).get(wanted.key)!
    if (phase === 'Running') continue
    const bad = measurer.rooms('r', 'bad').length
    return {
      phase,
      message,
      commands: other.commands,
      harmed: other.harmed.size,
      bad,
      seconds: (beat * beatMs) / 1_000,
    }
  }
  return { phase: 'Running', message: '', commands: other.commands, harmed: 0, bad: 0, seconds: 0 }
}

for (const [name, canary, commandsMax] of [
  ['fails at 5 % of all commands', { ...good, app: errs }, 400],
  ['takes twice as long', { ...good, medianMs: 8 }, 3_000],
  ['drops one message in 1,000', { ...good, app: drops }, 12_000],
  ['answers with the wrong offset', { ...good, app: wrongOffset }, 200],
] as const) {
  void t.test(`a canary that ${name} fails by the counters alone`, async (t) => {
    for (const seed of ['one', 'two', 'three']) {
      const { phase, message, commands, harmed, bad, seconds } = await judge(canary, `${name} ${seed}`, 2_000)
      t.comment(`${name}: ${commands} commands, ${seconds} s, ${harmed} rooms harmed, ${bad} of them named; ${message}`)
      t.equal(phase, 'Failed')
      t.ok(commands <= commandsMax, `within ${commandsMax} commands of the canary`)
      t.ok(harmed <= traffic['v2']!.rooms)
    }
  })
}

void t.test('a canary as good as the stable version does not fail', async (t) => {
  for (const seed of ['one', 'two', 'three', 'four', 'five']) {
    const { phase, message } = await judge(good, `good ${seed}`, 300)
    t.equal(phase, 'Running', message)
  }
})

void t.test('a canary that errs as the stable version does, does not fail either', async (t) => {
  for (const seed of ['one', 'two', 'three']) {
    const { phase, message } = await judge({ ...good, app: errs }, `alike ${seed}`, 200, errs)
    t.equal(phase, 'Running', message)
  }
})

void t.test('workers that end without a word fail a canary, unless those of the stable version end too', async (t) => {
  const clock = new ManualClock()
  const measurer = new Measurer(testEnv({ clock }))
  const workers = [new CountedWorker('v1', 'crash'), new CountedWorker('v2', 'crash')]
  const phase = () => {
    for (const worker of workers) measurer.heard(worker.beat)
    clock.advance(2_000)
    return measurer.look([wanted]).get(wanted.key)!.phase
  }
  t.equal(phase(), 'Running')
  measurer.crashed('w-v2', 'v2')
  measurer.crashed('w-v1', 'v1')
  measurer.crashed('w-v2', 'v2')
  t.equal(phase(), 'Running')
  measurer.crashed('w-v2', 'v2')
  t.equal(phase(), 'Failed')
})

void t.test('a canary that says nothing is never promoted', async (t) => {
  const clock = new ManualClock()
  const measurer = new Measurer(testEnv({ clock }))
  const stable = new CountedWorker('v1', 'silent')
  const look = () => {
    measurer.heard(stable.beat)
    return measurer.look([wanted]).get(wanted.key)!
  }
  t.match(look(), { phase: 'Running', isMeasured: false }, 'it may only have begun')
  clock.advance(silentMs + 1)
  t.match(look(), { phase: 'Inconclusive', message: /no counters of v2/, isMeasured: false })
})
