import { errors } from '../../protocol/client/codes.ts'
import { messageBytes } from '../../store/message-size.ts'
import { jsonBytes, messageBytesMax } from '../../protocol/records/sizes.ts'
import { advance, draftOf } from '../app/app.ts'
import type { App, AppDraft, AppState, Effect } from '../app/app.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'

/** Characters that are kept of why an app failed. */
const reasonLengthMax = 1_000

export interface Handled {
  effects: Effect[][]
  /** Index of a command → why the app could not handle it. */
  failed: Map<number, string>
}

/**
 * Shows commands to the app: all at once, and one at a time when that throws, so that only the one to blame gets an
 * error and becomes a dead letter while its neighbours take effect.
 */
export async function handleCommands(app: App, state: AppState, commands: CommandRecord[]): Promise<Handled> {
  if (commands.length === 0) return { effects: [], failed: new Map() }
  try {
    return { effects: (await attempt(app, state, commands)).effects, failed: new Map() }
  } catch {
    return oneByOne(app, state, commands)
  }
}

async function attempt(
  app: App,
  state: AppState,
  commands: CommandRecord[],
): Promise<{ effects: Effect[][]; after: AppDraft }> {
  const effects = await app.handle(state, commands)
  if (effects.length !== commands.length) throw new Error('an app must return one list of effects per command')
  for (const effect of effects.flat()) checkSize(effect)
  // Checked as a whole: what one command publishes goes on from what the one before it did.
  const after = draftOf(state)
  for (const each of effects) advance(after, each)
  return { effects, after }
}

/** What an event could not carry must not be committed. Throws. */
function checkSize(effect: Effect): void {
  const bytes = effectBytes(effect)
  if (bytes > messageBytesMax)
    throw new Error(`a ${effect.type} of ${bytes} bytes, where ${messageBytesMax} is the most`)
}

function effectBytes(effect: Effect): number {
  switch (effect.type) {
    case 'publish':
      return messageBytes(effect.message)
    case 'reply':
      return Buffer.byteLength(effect.body)
    case 'fail':
      return jsonBytes(effect.error.message)
    case 'read':
      return 0
  }
}

async function oneByOne(app: App, state: AppState, commands: CommandRecord[]): Promise<Handled> {
  const effects: Effect[][] = []
  const failed = new Map<number, string>()
  let current: AppState = state
  for (const [index, command] of commands.entries()) {
    try {
      const one = await attempt(app, current, [command])
      effects.push(one.effects[0]!)
      current = one.after
    } catch (error) {
      effects.push([{ type: 'fail', error: errors.deadLetter }])
      failed.set(index, `app: ${error instanceof Error ? error.message : String(error)}`.slice(0, reasonLengthMax))
    }
  }
  return { effects, failed }
}
