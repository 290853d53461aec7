import type { App, AppCommand, AppState, Effect } from '../../protocol/app/contract.ts'
import { advance, draftOf } from '../../protocol/app/fold.ts'
import type { AppDraft } from '../../protocol/app/fold.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { jsonBytes, messageBytesMax } from '../../protocol/records/sizes.ts'
import { messageBytes } from '../../store/message-size.ts'

/** Characters that are kept of why an app failed. */
const reasonLengthMax = 1_000

/** What came of a command that was shown to the app. */
export interface Outcome {
  effects: Effect[]
  /** Why the app could not handle it: then its effects are an error for its sender, and it becomes a dead letter. */
  failure: string | null
}

/** A command as the app sees it. */
export function appCommand(record: CommandRecord): AppCommand {
  const { channel, method, user, session, connInfo, time, seed, history, payload } = record
  return { channel, method, user, session, connInfo, time, seed, history, data: payload }
}

/** Of a command that is not handled, for this reason. */
export function setAside(failure: string): Outcome {
  return { effects: [{ type: 'fail', error: errors.deadLetter }], failure }
}

/**
 * Shows commands to the app: all at once, and one at a time when that throws, so that only the one to blame gets an
 * error and becomes a dead letter while its neighbours take effect.
 */
export async function handleCommands(app: App, state: AppState, commands: AppCommand[]): Promise<Outcome[]> {
  if (commands.length === 0) return []
  try {
    const { effects } = await attempt(app, state, commands)
    return effects.map((each) => ({ effects: each, failure: null }))
  } catch {
    return oneByOne(app, state, commands)
  }
}

async function attempt(
  app: App,
  state: AppState,
  commands: AppCommand[],
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

async function oneByOne(app: App, state: AppState, commands: AppCommand[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let current: AppState = state
  for (const command of commands) {
    try {
      const { effects, after } = await attempt(app, current, [command])
      outcomes.push({ effects: effects[0]!, failure: null })
      current = after
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      outcomes.push(setAside(`app: ${reason}`.slice(0, reasonLengthMax)))
    }
  }
  return outcomes
}
