import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import type { App, AppCommand, AppState, Stream } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { idemKey } from '../../protocol/app/fold.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { IdemHit } from '../../store/store.ts'
import { channelsOf, commandsOf } from './batch.ts'
import type { BatchCommand, BatchItem } from './batch.ts'
import type { Counters } from './counters.ts'
import { appCommand, handleCommands, setAside } from './handle.ts'
import type { Outcome } from './handle.ts'
import { channelFrom } from './memory.ts'
import type { Channel, ChannelCache, SlotMemory } from './memory.ts'
import type { OutboxChanges } from './outbox.ts'
import { newChannel, planBatch } from './plan.ts'
import type { BatchPlan } from './plan.ts'
import type { SlotFaults } from './slot-faults.ts'
import type { SetAside } from './trial.ts'

/** Where a batch finds what it needs, and the app that it is shown to. */
export interface PreparerDeps {
  env: StoreEnv
  app: App
  worker: string
  version: string
  counters: Counters
}

/** The slot whose batches are prepared. */
export interface PreparedSlot {
  memory: SlotMemory
  cache: ChannelCache
  faults: SlotFaults
  stopped: () => boolean
}

/** Commands that are not shown to the app. */
export interface Spared {
  /** It becomes a dead letter; null when there is none. */
  aside: SetAside | null
  /** These fail with an error, by their offsets, and nothing else comes of them. */
  refused: ReadonlyMap<number, CommandError>
}

/** Keys that are looked up in one request: each may lead to a message of any size. */
export const keysChunk = 64

/** Brings a batch to its plan: loads what it needs, shows its commands to the app. Changes nothing. */
export class BatchPreparer {
  readonly #deps: PreparerDeps
  readonly #of: PreparedSlot
  readonly #memory: SlotMemory
  readonly #cache: ChannelCache

  constructor(deps: PreparerDeps, slot: PreparedSlot) {
    this.#deps = deps
    this.#of = slot
    this.#memory = slot.memory
    this.#cache = slot.cache
  }

  get #slot(): SlotId {
    return this.#memory.lease.slot
  }

  /**
   * Whose command is not shown to the app hears so. `outbox` is asked once the app has answered: what it says is in the
   * plan.
   */
  async prepare(items: BatchItem[], spared: Spared, outbox: () => OutboxChanges): Promise<BatchPlan> {
    const { worker, version } = this.#deps
    this.#countDropped(items)
    const channels = await this.#loadChannels(items)
    const outcomes = await this.#outcomes(items, channels, spared)
    this.#countHandled(items, outcomes)
    return planBatch({ memory: this.#memory, worker, version, items, channels, outcomes, outbox: outbox() })
  }

  async #loadChannels(items: BatchItem[]): Promise<Map<string, Channel>> {
    const { env } = this.#deps
    const channels = new Map<string, Channel>()
    const missing: string[] = []
    for (const name of channelsOf(items)) {
      const cached = this.#cache.get(name)
      if (cached) channels.set(name, cached)
      else missing.push(name)
    }
    if (missing.length > 0) {
      const loaded = await this.#untilAnswered(() => env.store.channels(this.#slot, missing))
      for (const state of loaded) channels.set(state.name, channelFrom(state, this.#memory.tombstones))
    }
    for (const { command } of commandsOf(items)) {
      const name = command.channel
      if (name !== '' && !channels.has(name)) channels.set(name, newChannel(name, this.#memory.lease))
    }
    return channels
  }

  /** What the app makes of its commands, by their offsets. */
  async #outcomes(
    items: BatchItem[],
    channels: ReadonlyMap<string, Channel>,
    { aside, refused }: Spared,
  ): Promise<Map<number, Outcome>> {
    const ofApp = commandsOf(items).filter(({ request }) => request === null)
    const shown = ofApp.filter(({ offset }) => offset !== aside?.offset && !refused.has(offset))
    const commands = shown.map(({ command }) => appCommand(command))
    const state = await this.#appState(commands, channels)
    const handled = await this.#handle(state, commands)
    const outcomes = new Map(shown.map(({ offset }, index) => [offset, handled[index]!]))
    for (const [offset, error] of refused) outcomes.set(offset, { effects: [{ type: 'fail', error }], failure: null })
    if (ofApp.some(({ offset }) => offset === aside?.offset)) outcomes.set(aside!.offset, setAside(aside!.reason))
    return outcomes
  }

  async #handle(state: AppState, commands: AppCommand[]): Promise<Outcome[]> {
    const { env, app, counters } = this.#deps
    if (commands.length === 0) return []
    const startedAt = env.clock.monotonic()
    const outcomes = await handleCommands(app, state, commands)
    counters.handled({ app, state, commands, outcomes, tookMs: env.clock.monotonic() - startedAt })
    return outcomes
  }

  async #appState(commands: AppCommand[], channels: ReadonlyMap<string, Channel>): Promise<AppState> {
    const { env, app, worker, version } = this.#deps
    const streams = new Map<string, Stream>()
    const keys: { channel: string; idem: Buffer }[] = []
    for (const command of commands) {
      const { epoch, top, lastTime } = channels.get(command.channel)!
      streams.set(command.channel, { epoch, top, lastTime })
      try {
        const idem = app.idem(command)
        if (idem) keys.push({ channel: command.channel, idem })
      } catch (error) {
        // The app refuses or chokes on it again when it handles it, and answers for it there.
        if (!(error instanceof CommandRefused))
          env.logger.debug({ err: error, slot: this.#slot }, 'app has no key for a command')
      }
    }
    const hits: IdemHit[] = []
    for (let at = 0; at < keys.length; at += keysChunk) {
      const some = keys.slice(at, at + keysChunk)
      hits.push(...(await this.#untilAnswered(() => env.store.idempotent(this.#slot, some))))
    }
    const known = new Map(hits.map((hit) => [idemKey(hit.channel, hit.idem), hit.message]))
    return { worker, version, channels: streams, known }
  }

  async #untilAnswered<T>(request: () => Promise<T>): Promise<T> {
    const { faults, stopped } = this.#of
    const answer = await untilAnswered(this.#deps.env, () => faults.asked(request), stopped)
    // Nobody waits for this batch any more.
    if (answer === null) throw new Error('the slot was lost while a batch was prepared')
    return answer
  }

  #countDropped(items: BatchItem[]): void {
    const { env } = this.#deps
    for (const { dropped, offset } of items) {
      if (dropped === null) continue
      if (dropped === 'format') env.logger.error({ slot: this.#slot, offset }, 'unreadable record set aside')
      env.metrics.recordsDuplicate.inc({ reason: dropped })
    }
  }

  #countHandled(items: BatchItem[], outcomes: ReadonlyMap<number, Outcome>): void {
    const { env, version } = this.#deps
    for (const { command, request, offset } of commandsOf(items).filter(isOfSessions)) {
      const failure = request === null ? outcomes.get(offset)!.failure : null
      const result = failure === null ? 'ok' : 'dead_letter'
      env.metrics.recordsHandled.inc({ version, method: command.method, result })
      if (failure === null) continue
      env.metrics.deadLetters.inc({ reason: 'app' })
      env.logger.error({ slot: this.#slot, offset, reason: failure }, 'command set aside')
    }
  }
}

/** What clients wait for; the rest keeps proxies and slots in step. */
function isOfSessions({ request }: BatchCommand): boolean {
  return request === null || request.method === 'recover'
}
