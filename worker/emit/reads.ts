import type { StoreEnv } from '../../cluster/env.ts'
import type { App, Read } from '../../protocol/app/contract.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import { emptyPayload } from '../../protocol/records/envelope.ts'
import type { RecoverRange } from '../../protocol/records/runtime.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { TraceContext } from '../../protocol/trace.ts'
import { StoreError } from '../../store/errors.ts'
import type { Message, MessageQuery } from '../../store/store.ts'
import type { Lanes } from './lanes.ts'
import { answerRecover } from './recover.ts'

/** Reads that wait for their turn at most, of all and of one session; the next is answered with "too many requests". */
export const readsWaitingMax = { all: 2_000, session: 32 }

/** Reads of one slot at the same time: a room that everybody reads leaves room for other rooms' reads. */
export const readsPerSlotMax = 4

/** Who answers, how many reads at once, and until when (ms). */
export interface ReadsOptions {
  worker: string
  version: string
  concurrency: number
  /** Nobody waits for an answer any more after this time. */
  deadlineMs: number
}

/** A read whose batch is committed: it is answered from the messages that its query finds. */
export interface CommittedRead {
  /** Who asks, and under which number. */
  instance: string
  session: string
  n: number
  /** A large answer may go in parts. */
  takesParts: boolean
  trace: TraceContext | undefined
  /** Null when no messages are needed. */
  query: MessageQuery | null
  /** Who answers, and what it needs for that. */
  asked: { by: 'app'; read: Read } | { by: 'runtime'; range: RecoverRange }
}

interface Waiting {
  read: CommittedRead
  /** Monotonic ms. */
  since: number
}

interface SlotReads {
  running: number
  /** By session, in whose turn it is. */
  sessions: Map<string, Waiting[]>
}

/**
 * Answers reads after their batch is committed, from committed rows, a few at a time: slot by slot, and session by
 * session in a slot, so that whoever asks for much waits for itself. None is begun while much waits to go where it
 * would go.
 */
export class Reads {
  readonly #env: StoreEnv
  readonly #app: App
  readonly #lanes: Lanes
  readonly #options: ReadsOptions
  /** In whose turn it is. */
  readonly #slots = new Map<SlotId, SlotReads>()
  #waiting = 0
  #running = 0

  constructor(env: StoreEnv, app: App, lanes: Lanes, options: ReadsOptions) {
    this.#env = env
    this.#app = app
    this.#lanes = lanes
    this.#options = options
  }

  /** Takes a read; it is answered once, with an error when too many wait. */
  add(slot: SlotId, read: CommittedRead): void {
    const ofSlot = this.#slots.getOrInsertComputed(slot, () => ({ running: 0, sessions: new Map<string, Waiting[]>() }))
    const ofSession = ofSlot.sessions.getOrInsertComputed(sessionOf(read), () => [])
    if (this.#waiting >= readsWaitingMax.all || ofSession.length >= readsWaitingMax.session) {
      if (ofSession.length === 0) ofSlot.sessions.delete(sessionOf(read))
      return this.#answer(slot, read, { error: errors.tooManyRequests })
    }
    ofSession.push({ read, since: this.#env.clock.monotonic() })
    this.#waiting++
    this.#next()
  }

  #next(): void {
    while (this.#running < this.#options.concurrency) {
      const next = this.#take()
      if (next === null) break
      this.#running++
      void this.#run(next.slot, next.read).finally(() => {
        this.#running--
        this.#ended(next.slot)
        this.#next()
      })
    }
    this.#env.metrics.readsWaiting.set(this.#waiting)
  }

  /** The next one whose turn it is and whose answer has a way to go. */
  #take(): { slot: SlotId; read: CommittedRead } | null {
    for (const [slot, ofSlot] of this.#slots) {
      if (ofSlot.running >= readsPerSlotMax) continue
      for (const [session, reads] of ofSlot.sessions) {
        this.#dropLate(reads)
        const [first] = reads
        if (first && !this.#lanes.hasRoomFor(first.read.instance)) continue
        reads.shift()
        // The next time it is the turn of the others first.
        ofSlot.sessions.delete(session)
        if (reads.length > 0) ofSlot.sessions.set(session, reads)
        if (!first) continue
        this.#slots.delete(slot)
        this.#slots.set(slot, ofSlot)
        this.#waiting--
        ofSlot.running++
        return { slot, read: first.read }
      }
    }
    return null
  }

  #dropLate(reads: Waiting[]): void {
    const oldest = this.#env.clock.monotonic() - this.#options.deadlineMs
    while (reads.length > 0 && reads[0]!.since < oldest) {
      reads.shift()
      this.#waiting--
      this.#env.metrics.readsDropped.inc()
    }
  }

  #ended(slot: SlotId): void {
    const ofSlot = this.#slots.get(slot)!
    ofSlot.running--
    if (ofSlot.running === 0 && ofSlot.sessions.size === 0) this.#slots.delete(slot)
  }

  async #run(slot: SlotId, read: CommittedRead): Promise<void> {
    try {
      const messages = read.query === null ? [] : await this.#find(slot, read.query)
      this.#answer(slot, read, this.#answerOf(read, messages))
    } catch (error) {
      // The proxy asks again until its deadline; that is where the retry of a read belongs.
      if (error instanceof StoreError && error.code === 'unavailable') {
        this.#env.metrics.readsDropped.inc()
        return
      }
      this.#env.logger.error({ err: error, slot }, 'read failed')
      this.#answer(slot, read, { error: errors.internal })
    }
  }

  async #find(slot: SlotId, query: MessageQuery): Promise<Message[]> {
    const { faults, store } = this.#env
    if (faults.isSet) {
      const request = { channel: query.channel, group: parseSlot(slot).group, version: this.#options.version }
      await faults.request('db', [request], slot, (message) => new StoreError('unavailable', message))
    }
    return store.messages(slot, query)
  }

  #answerOf({ asked }: CommittedRead, messages: Message[]): { body: string } | { error: CommandError } {
    return asked.by === 'app' ? this.#app.answer(asked.read, messages) : answerRecover(asked.range, messages)
  }

  #answer(
    slot: SlotId,
    { instance: to, n, takesParts, trace }: CommittedRead,
    result: { body: string } | { error: CommandError },
  ): void {
    const { worker, version } = this.#options
    const error = 'error' in result ? result.error : null
    const body = 'body' in result ? Buffer.from(result.body) : emptyPayload
    const answer = { type: 'answer' as const, slot, to, n, worker, version, error, part: null, trace, body }
    this.#lanes.answer(answer, takesParts, () => this.#next())
  }
}

function sessionOf({ instance, session }: CommittedRead): string {
  return `${instance} ${session}`
}
