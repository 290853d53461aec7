import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { IdemHit } from '../../store/store.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { CommandRefused, idemKey } from '../app/app.ts'
import type { App, AppState, Stream } from '../app/app.ts'
import { channelsOf, isAppCommand, newChannel, planBatch } from './batch.ts'
import type { BatchItem, BatchPlan } from './batch.ts'
import { handleCommands } from './handle.ts'
import { channelFrom } from './state.ts'
import type { Channel, ChannelCache, SlotMemory } from './state.ts'

export interface PreparerDeps {
  env: StoreEnv
  app: App
  worker: string
  version: string
}

/** Keys that are looked up in one request: each may lead to a message of any size. */
export const keysChunk = 64

/** A record that is not handled, and why. */
export interface SetAside {
  offset: number
  reason: string
}

/** Brings a batch to its plan: loads what it needs, shows its commands to the app. Changes nothing. */
export class BatchPreparer {
  readonly #deps: PreparerDeps
  readonly #memory: SlotMemory
  readonly #cache: ChannelCache
  readonly #stopped: () => boolean

  constructor(deps: PreparerDeps, memory: SlotMemory, cache: ChannelCache, stopped: () => boolean) {
    this.#deps = deps
    this.#memory = memory
    this.#cache = cache
    this.#stopped = stopped
  }

  get #slot(): SlotId {
    return this.#memory.lease.slot
  }

  /**
   * A record that is set aside is not shown to the app; its sender hears so, and it becomes a dead letter.
   */
  async prepare(items: BatchItem[], aside: SetAside | null): Promise<BatchPlan> {
    const { app, worker, version } = this.#deps
    this.#countDropped(items)
    const channels = await this.#loadChannels(items)
    const handled = items.filter(isAppCommand)
    const shown = handled.filter(({ offset }) => offset !== aside?.offset)
    const state = await this.#appState(shown, channels)
    const commands = shown.map(({ command }) => command)
    const result = await handleCommands(app, state, commands)
    const poisoned = new Map([...result.failed].map(([index, reason]) => [shown[index]!.offset, reason]))
    const effects = result.effects
    const missing = handled.findIndex(({ offset }) => offset === aside?.offset)
    if (aside !== null && missing !== -1) {
      effects.splice(missing, 0, [{ type: 'fail', error: errors.deadLetter }])
      poisoned.set(aside.offset, aside.reason)
    }
    this.#countHandled(handled, poisoned)
    return planBatch({ memory: this.#memory, worker, version, items, channels, effects, poisoned })
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
    for (const { command, dropped } of items) {
      if (!command || dropped || command.channel === '' || channels.has(command.channel)) continue
      channels.set(command.channel, newChannel(command.channel, this.#memory.lease))
    }
    return channels
  }

  async #appState(
    items: (BatchItem & { command: { channel: string } })[],
    channels: Map<string, Channel>,
  ): Promise<AppState> {
    const { env, app, worker, version } = this.#deps
    const streams = new Map<string, Stream>()
    const keys: { channel: string; idem: Buffer }[] = []
    for (const { command } of items) {
      if (!command) continue
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
    const answer = await untilAnswered(this.#deps.env, request, this.#stopped)
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

  #countHandled(items: (BatchItem & { command: { method: string } })[], poisoned: Map<number, string>): void {
    const { env, version } = this.#deps
    for (const { command, offset } of items) {
      const reason = poisoned.get(offset)
      const result = reason === undefined ? 'ok' : 'dead_letter'
      env.metrics.recordsHandled.inc({ version, method: command.method, result })
      if (reason === undefined) continue
      env.metrics.deadLetters.inc({ reason: 'app' })
      env.logger.error({ slot: this.#slot, offset, reason }, 'command set aside')
    }
  }
}
