import type { AppCommand, AppMessage, AppState, Effect, Stream } from './contract.ts'
import { timeAfter } from './time.ts'

/** Names a message in `AppState.known`. */
export function idemKey(channel: string, idem: Buffer): string {
  return `${idem.toString('hex')} ${channel}`
}

/** A stream after one more message; throws when the message does not go on from it, a mistake of the app. */
export function goOn(stream: Stream | undefined, message: AppMessage): Stream {
  if (!stream) throw new Error('an app must publish in the channel of its command')
  if (message.offset !== stream.top + 1 || message.time < timeAfter(stream, message.time)) {
    throw new Error('a publication must go on from its channel')
  }
  return { epoch: stream.epoch, top: message.offset, lastTime: message.time }
}

/** A copy of the state that `advance` may change in place. */
export interface AppDraft extends AppState {
  /** Changed by each publication. */
  channels: Map<string, Stream>
  /** Grows by each publication with a key. */
  known: Map<string, AppMessage>
}

/** The maps are copied, what is in them is shared. */
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
    draft.channels.set(message.channel, goOn(draft.channels.get(message.channel), message))
    if (message.idem) draft.known.set(idemKey(message.channel, message.idem), message)
  }
}

/** Runs a handler of single commands over a batch: each sees what the ones before it did. */
export function fold(
  state: AppState,
  commands: AppCommand[],
  handle: (state: AppState, command: AppCommand) => Effect[],
): Effect[][] {
  const draft = draftOf(state)
  return commands.map((command) => {
    const effects = handle(draft, command)
    advance(draft, effects)
    return effects
  })
}
