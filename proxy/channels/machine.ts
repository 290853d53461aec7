import { errors, unsubscribes } from '../../protocol/client/codes.ts'
import type { ClientError, CloseReason } from '../../protocol/client/codes.ts'
import type { SubscribeResult } from '../../protocol/client/message.ts'
import type { SlotEvent } from '../../protocol/records/event.ts'
import type { Session } from '../sessions/session.ts'
import { keepLive } from './channel.ts'
import type { Channel, FirstRead, Joining } from './channel.ts'
import { isNotThere } from './missed.ts'
import type { MissedPage } from './missed.ts'
import { decideRecovery, isAhead } from './recovery.ts'

/**
 * What a channel makes of what happens to it: rules without effects. Each rule changes the channel and says, step by step
 * and in this order, what is to be done meanwhile; whoever runs it does each step before the next is asked for.
 */
export type Step =
  /** What is gathered for its sessions goes to them as they are now: they are about to be others. */
  | { do: 'settle' }
  /** All its sessions get this. */
  | { do: 'publish'; publication: string; bytes: number }
  /** A session is subscribed: it is told the result, with publications that it missed. */
  | { do: 'joined'; joining: Joining; result: SubscribeResult; publications: string[] }
  /** A subscribe came to nothing. */
  | { do: 'failed'; joining: Joining; error: ClientError }
  /** Its slot is asked for a range before the session can join. */
  | { do: 'read'; joining: Joining; read: FirstRead }
  /** A subscribed session gets these. */
  | { do: 'send'; session: Session; publications: string[] }
  /** A subscribed session has the channel up to `at` and gets the rest as it takes it. */
  | { do: 'let behind'; session: Session; at: number }
  /** The subscription of a session is over without its doing. */
  | { do: 'unsubscribe'; session: Session; reason: CloseReason }
  /** What the proxy has of the channel is not what the slot has. */
  | { do: 'report'; why: Insufficiency }

/** Another stream, a missing publication, a top that is not the slot's, or what the slot could not tell us. */
export type Insufficiency = 'epoch' | 'gap' | 'top' | 'resync'

/** What is to be done, one step after the other; each is done before the next is decided. */
export type Steps = Generator<Step, void, undefined>

/** A session asks to be in it: at once when it is open. */
export function* join(channel: Channel, joining: Joining): Steps {
  if (channel.opening === null) yield* admit(channel, joining)
  else channel.joining.set(joining.session, joining)
}

/** A session is in it no more, in whatever way it was. A subscribe that is given up has its answer too. */
export function* leave(channel: Channel, session: Session): Steps {
  yield { do: 'settle' }
  channel.sessions.delete(session)
  const joining = channel.joining.get(session)
  channel.joining.delete(session)
  if (joining) yield { do: 'failed', joining, error: errors.internal }
}

/** Its slot knows that this instance has it, and where it is. */
export function* opened(channel: Channel, event: SlotEvent & { kind: 'subscribed' }, nowMs: number): Steps {
  // One that was asked for before the last close is not the one that opens it.
  if (channel.opening !== event.n) return
  channel.opening = null
  channel.openedAt = nowMs
  channel.epoch = event.epoch
  channel.top = event.top
  // They stay where they are until admitted: one that fails must not leave the channel looking empty.
  for (const joining of [...channel.joining.values()]) yield* admit(channel, joining)
}

/** The subscribe that was to open it got no answer. */
export function* unopened(channel: Channel, n: number): Steps {
  if (channel.opening !== n) return
  for (const joining of [...channel.joining.values()]) yield* fail(channel, joining, errors.internal)
}

/**
 * A publication of its slot: the next one is for everybody, one that was there before for nobody; behind a gap, or of
 * another stream, the channel starts anew.
 */
export function* published(channel: Channel, event: SlotEvent & { kind: 'publication' }): Steps {
  if (channel.opening !== null) return
  if (event.epoch !== channel.epoch) return yield* startAnew(channel, unsubscribes.invalidated, 'epoch')
  if (event.top <= channel.top) return
  if (event.top !== channel.top + 1) return yield* startAnew(channel, unsubscribes.insufficient, 'gap')
  channel.top = event.top
  const publication = event.body.toString()
  const bytes = event.body.length
  if (channel.sessions.size > 0) yield { do: 'publish', publication, bytes }
  for (const joining of channel.joining.values()) keepLive(joining, publication, bytes)
  for (const behind of channel.behind.values()) keepLive(behind, publication, bytes)
}

/** Where the slot says that it is; asked at this monotonic time. */
export function* compared(channel: Channel, { epoch, top }: { epoch: string; top: number }, askedAt: number): Steps {
  // One that opened since then is compared the next time.
  if (channel.opening !== null || channel.openedAt > askedAt) return
  if (channel.epoch !== epoch) yield* startAnew(channel, unsubscribes.invalidated, 'epoch')
  else if (channel.top !== top) yield* startAnew(channel, unsubscribes.insufficient, 'top')
}

/** The sessions of a channel must recover, or start anew; the channel starts anew with them. */
export function* startAnew(channel: Channel, reason: CloseReason, why: Insufficiency): Steps {
  yield { do: 'report', why }
  yield { do: 'settle' }
  const sessions = [...channel.sessions, ...channel.behind.keys()]
  const joining = [...channel.joining.values()]
  channel.sessions.clear()
  channel.joining.clear()
  for (const session of sessions) yield { do: 'unsubscribe', session, reason }
  for (const each of joining) yield { do: 'failed', joining: each, error: errors.internal }
}

/** Subscribes that got no answer in time end. */
export function* expired(channel: Channel, nowMs: number): Steps {
  for (const joining of [...channel.joining.values()]) {
    if (joining.deadlineAt <= nowMs) yield* fail(channel, joining, errors.internal)
  }
}

/** The first read of a session that joins is answered. */
export function* readFirst(channel: Channel, joining: Joining, page: MissedPage): Steps {
  const read = joining.read!
  joining.read = null
  if (read.for === 'ahead') yield* foundAhead(channel, joining, page)
  else yield* recovered(channel, joining, read, page)
}

/** A subscribe comes to nothing. */
export function* fail(channel: Channel, joining: Joining, error: ClientError): Steps {
  channel.joining.delete(joining.session)
  yield { do: 'failed', joining, error }
}

/** A session comes to an open channel, at its present top. */
function* admit(channel: Channel, joining: Joining): Steps {
  const decision = decideRecovery(joining.recover, channel)
  switch (decision) {
    case 'fresh':
    case 'level':
      return yield* enter(channel, joining, decision === 'level')
    case 'behind':
      joining.live = { publications: [], bytes: 0 }
      return yield* ask(channel, joining, { for: 'recover', after: joining.recover!.offset, upTo: channel.top })
    case 'lost': {
      // It saw more than this proxy has: that is still on its way here, or was taken out of a full lane, or the position is
      // one of a stream that is no more. The slot has the last message that the client saw, or has not.
      if (joining.hasCaughtUp || !isAhead(joining.recover!, channel)) return yield* lost(channel, joining)
      const { offset } = joining.recover!
      return yield* ask(channel, joining, { for: 'ahead', after: offset - 1, upTo: offset })
    }
  }
}

function* foundAhead(channel: Channel, joining: Joining, page: MissedPage): Steps {
  const isRefused = 'error' in page && isNotThere(page.error)
  // It exists and is not here yet: the client asks again, and recovers then.
  if (!isRefused && ('error' in page || channel.top < joining.recover!.offset))
    return yield* fail(channel, joining, errors.internal)
  joining.hasCaughtUp = true
  yield* admit(channel, joining)
}

/**
 * All that was missed up to the top of then can be had, or not. The answer brings the first of it when there is room for
 * that. The rest follows like anything that is published, as the connection takes it: a client that waits long for the
 * answer to a subscribe gives up, and would get nowhere.
 */
function* recovered(channel: Channel, joining: Joining, { after, upTo }: FirstRead, page: MissedPage): Steps {
  // Recovery starts anew at the top of now: what was kept is below it.
  if ('error' in page && isNotThere(page.error)) return yield* lost(channel, joining)
  if ('error' in page) return yield* fail(channel, joining, errors.internal)
  const { session, live } = joining
  const at = after + page.publications.length
  yield* told(channel, joining, { offset: after, isRecovered: true }, page.publications)
  if (at < upTo || live === null) return yield { do: 'let behind', session, at }
  yield { do: 'settle' }
  yield { do: 'send', session, publications: live.publications }
  channel.sessions.add(session)
}

function* lost(channel: Channel, joining: Joining): Steps {
  if (joining.rejectUnrecovered) yield* fail(channel, joining, errors.unrecoverablePosition)
  else yield* enter(channel, joining, false)
}

/** The session has everything from the present top on. */
function* enter(channel: Channel, joining: Joining, isRecovered: boolean): Steps {
  yield { do: 'settle' }
  channel.sessions.add(joining.session)
  yield* told(channel, joining, { offset: channel.top, isRecovered }, [])
}

function* told(
  channel: Channel,
  joining: Joining,
  { offset, isRecovered }: { offset: number; isRecovered: boolean },
  publications: string[],
): Steps {
  channel.joining.delete(joining.session)
  const result: SubscribeResult = {}
  if (joining.isRecoverable) result.recoverable = true
  if (joining.isPositioned) result.positioned = true
  if (joining.isRecoverable || joining.isPositioned) {
    result.epoch = channel.epoch
    result.offset = offset
  }
  if (joining.wasRecovering) result.was_recovering = true
  if (joining.recover && isRecovered) result.recovered = true
  yield { do: 'joined', joining, result, publications }
}

function* ask(channel: Channel, joining: Joining, read: FirstRead): Steps {
  channel.joining.set(joining.session, joining)
  joining.read = read
  yield { do: 'read', joining, read }
}
