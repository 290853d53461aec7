import type { CommandRecord } from '../../protocol/records/command.ts'
import type { EventError } from '../../protocol/records/event.ts'
import type { Message, MessageQuery } from '../../store/store.ts'

/**
 * The `app` seam: what a worker does with commands, apart from everything that makes it safe. The runtime loads what
 * `keys` name, `handle` turns state and commands into effects, and the runtime applies them in one transaction.
 * An app is pure: the same state and commands give the same effects, on any worker, at any time.
 */
export interface App {
  /** The idempotency hash under which an earlier message may exist, or null. May throw CommandRefused. */
  idem(command: CommandRecord): Buffer | null
  /**
   * One list of effects per command, in order; later commands see what earlier ones did. Each list holds exactly one
   * `reply`, `fail` or `read`. A throw blames one of the commands, and the runtime finds out which.
   */
  handle(state: AppState, commands: CommandRecord[]): Effect[][] | Promise<Effect[][]>
  /** The answer to a read, from the rows its query found. */
  answer(read: Read, messages: Message[]): { body: string } | { error: EventError }
}

/** A channel before the batch; one that is new has offset 0. */
export interface Stream {
  epoch: string
  top: number
  lastTime: number
}

export interface AppState {
  worker: string
  version: string
  /** Every channel that a command names. */
  channels: ReadonlyMap<string, Stream>
  /** Messages that idempotency hashes led to, by idemKey. */
  known: ReadonlyMap<string, Message>
}

export type Effect =
  /** Offset, time and channel must go on from the stream: offset = top + 1, and time as `timeAfter` has it or later. */
  | { type: 'publish'; message: Message }
  /** JSON text of the method's result. */
  | { type: 'reply'; body: string }
  /** The command had no effect. */
  | { type: 'fail'; error: EventError }
  /** Answered after the commit, from committed rows. A null query needs no rows. */
  | { type: 'read'; query: MessageQuery | null }

/** A read with the stream as it was at the read's place in the log. */
export interface Read {
  command: CommandRecord
  stream: Stream
}

/** The command is not one the app can act on: the client gets the error, nothing else happens. */
export class CommandRefused extends Error {
  readonly error: EventError
  constructor(error: EventError) {
    super(error.message)
    this.name = 'CommandRefused'
    this.error = error
  }
}

export function idemKey(channel: string, idem: Buffer): string {
  return `${idem.toString('hex')} ${channel}`
}

/** A channel's last message whose time is further ahead than this was sent by a clock that was wrong. */
export const clockErrorMaxMs = 3_600_000

/**
 * When a message of `time` was sent, after those of its channel: times never go back, so that what is not older than
 * some age is the end of a channel. But one clock that was wrong, of whatever year, does not give its time to all that
 * comes after it. Derived from what is in the log alone, like everything that is replayed.
 */
export function timeAfter({ lastTime }: Stream, time: number): number {
  return lastTime - time > clockErrorMaxMs ? time : Math.max(time, lastTime)
}

/** A copy of the state that `advance` may change in place. */
export interface AppDraft extends AppState {
  channels: Map<string, Stream>
  known: Map<string, Message>
}

export function draftOf(state: AppState): AppDraft {
  return { ...state, channels: new Map(state.channels), known: new Map(state.known) }
}

/** Moves a draft on by one command's effects; throws when they do not go on from it, a mistake of the app. */
export function advance(draft: AppDraft, effects: Effect[]): void {
  if (effects.filter((effect) => effect.type !== 'publish').length !== 1) {
    throw new Error('an app must answer each command exactly once')
  }
  for (const effect of effects) {
    if (effect.type !== 'publish') continue
    const { message } = effect
    const stream = draft.channels.get(message.channel)
    if (!stream) throw new Error('an app must publish in the channel of its command')
    if (message.offset !== stream.top + 1 || message.time < timeAfter(stream, message.time)) {
      throw new Error('a publication must go on from its channel')
    }
    draft.channels.set(message.channel, { epoch: stream.epoch, top: message.offset, lastTime: message.time })
    if (message.idem) draft.known.set(idemKey(message.channel, message.idem), message)
  }
}

/** Runs a handler of single commands over a batch: each sees what the ones before it did. */
export function fold(
  state: AppState,
  commands: CommandRecord[],
  handle: (state: AppState, command: CommandRecord) => Effect[],
): Effect[][] {
  const draft = draftOf(state)
  return commands.map((command) => {
    const effects = handle(draft, command)
    advance(draft, effects)
    return effects
  })
}
