import type { App, AppCommand, AppMessage, AppState, Effect } from '../../protocol/app/contract.ts'
import { idemKey } from '../../protocol/app/fold.ts'
import { errors } from '../../protocol/client/codes.ts'
import { lateMs, timeBucket, timeBuckets } from '../../protocol/records/counters.ts'
import type { MethodCounters, RoomCounters, WorkCounters } from '../../protocol/records/counters.ts'
import type { Outcome } from './handle.ts'
import { namesOther } from './named-message.ts'
import { RoomTallies } from './room-tallies.ts'

/** Methods that are counted by name; what comes beyond them counts as `other`. */
export const methodsMax = 16

/** Commands that were shown to the app, and what it made of them. */
export interface HandledCommands {
  app: App
  /** As it was before them. */
  state: AppState
  commands: AppCommand[]
  /** One for each command. */
  outcomes: Outcome[]
  /** Time that the app took for all of them. */
  tookMs: number
}

/**
 * What a worker's commands come to, all of its slots together: counted here and nowhere else, sent with heartbeats, and
 * compared between versions by whoever judges them.
 */
export class Counters {
  readonly #methods = new Map<string, MethodCounters>()
  readonly #effects = { publish: 0, reply: 0, fail: 0, read: 0 }
  readonly #handle = noTimes()
  readonly #batch = noTimes()
  readonly #rooms = new RoomTallies()
  #violations = 0

  /** The app has answered. */
  handled({ app, state, commands, outcomes, tookMs }: HandledCommands): void {
    this.#handle[timeBucket(tookMs)]!++
    for (const [index, command] of commands.entries()) {
      const outcome = outcomes[index]!
      for (const { type } of outcome.effects) this.#effects[type]++
      const earlier = () => earlierMessage(app, state, command, outcomes.slice(0, index))
      const came = whatCame(outcome, earlier)
      const isViolation = namesOther(outcome.effects, state.channels.get(command.channel)!, earlier)
      if (isViolation) this.#violations++
      const room = this.#rooms.of(command.channel)
      if (isViolation) room.violations++
      for (const tally of [this.#method(command.method), room]) {
        tally.commands++
        if (came !== null) tally[came]++
      }
    }
  }

  /** A batch is committed, so long after it was begun; in these rooms it had commands of the app. */
  committed(rooms: Iterable<string>, tookMs: number): void {
    this.#batch[timeBucket(tookMs)]!++
    if (tookMs <= lateMs[0]!) return
    for (const name of rooms) {
      const { late } = this.#rooms.of(name)
      for (const [index, ms] of lateMs.entries()) if (tookMs > ms) late[index]!++
    }
  }

  /** As they are now. */
  get work(): WorkCounters {
    const methods = [...this.#methods.values()]
    return {
      commands: sum(methods, 'commands'),
      errors: sum(methods, 'errors'),
      effects: { ...this.#effects },
      violations: this.#violations,
      methods: Object.fromEntries([...this.#methods].map(([name, counters]) => [name, { ...counters }])),
      handle: trimmed(this.#handle),
      batch: trimmed(this.#batch),
    }
  }

  /** Rooms whose counters moved since they were last taken, as many as go into one heartbeat. */
  takeRooms(): RoomCounters[] {
    return this.#rooms.take()
  }

  #method(name: string): MethodCounters {
    const known = this.#methods.get(name)
    if (known) return known
    const key = this.#methods.size < methodsMax ? name : 'other'
    return this.#methods.getOrInsertComputed(key, () => ({ commands: 0, errors: 0, refused: 0, silent: 0, several: 0 }))
  }
}

/** What is to be noted of an outcome, beside that it came; null for what is as usual. */
function whatCame(
  { effects, failure }: Outcome,
  earlier: () => AppMessage | null,
): Exclude<keyof MethodCounters, 'commands'> | null {
  if (failure !== null) return 'errors'
  let published = 0
  for (const effect of effects) {
    if (effect.type === 'publish') published++
    else if (effect.type === 'fail') return effect.error.code === errors.internal.code ? 'errors' : 'refused'
    else if (effect.type === 'read') return null
  }
  if (published > 1) return 'several'
  return published === 1 || earlier() !== null ? null : 'silent'
}

/** The message that an idempotency key led to, stored before the batch or made by commands before this one. */
function earlierMessage(app: App, state: AppState, command: AppCommand, before: Outcome[]): AppMessage | null {
  const idem = idemOf(app, command)
  if (idem === null) return null
  const { channel } = command
  const isIt = (effect: Effect) =>
    effect.type === 'publish' && effect.message.channel === channel && effect.message.idem?.equals(idem) === true
  const made = before.flatMap(({ effects }) => effects).find(isIt)
  return made?.type === 'publish' ? made.message : (state.known.get(idemKey(channel, idem)) ?? null)
}

function idemOf(app: App, command: AppCommand): Buffer | null {
  try {
    return app.idem(command)
  } catch {
    return null
  }
}

function sum(methods: MethodCounters[], name: keyof MethodCounters): number {
  return methods.reduce((total, method) => total + method[name], 0)
}

function trimmed(counts: number[]): number[] {
  return counts.slice(0, counts.findLastIndex((count) => count > 0) + 1)
}

function noTimes(): number[] {
  return Array.from({ length: timeBuckets.length + 1 }, () => 0)
}
