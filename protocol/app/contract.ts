import type { CommandError } from '../client/codes.ts'

/**
 * The `app` seam: what a worker does with commands, apart from everything that makes it safe. The runtime loads what an
 * app needs, `handle` turns state and commands into effects, and the runtime applies them in one transaction. An app is
 * pure: the same state and commands give the same effects, on any worker, at any time. It sees neither records of the log
 * nor rows of the store.
 */
export interface App {
  /** What clients may call by name (`rpc` of the client protocol), beside the protocol's own commands. */
  readonly calls: Readonly<Record<string, AppCall>>
  /** The hash (16 bytes) under which an earlier message may exist, or null. May throw CommandRefused. */
  idem(command: AppCommand): Buffer | null
  /**
   * One list of effects per command, in order; later commands see what earlier ones did. Each list holds exactly one
   * `reply`, `fail` or `read`. A throw blames one of the commands, and the runtime finds out which.
   */
  handle(state: AppState, commands: AppCommand[]): Effect[][] | Promise<Effect[][]>
  /** The answer to a read, from the messages that its query found, in their order. */
  answer(read: Read, messages: AppMessage[]): { body: string } | { error: CommandError }
}

/** A call as a proxy needs to know it: it is let through or refused there, and goes to the slot of its channel. */
export interface AppCall {
  /** What its caller must be allowed to do in the channel. */
  permission: 'publish' | 'history'
  /** Reads have no effect: they may be sent again, and are charged by what they bring. */
  isRead: boolean
  /** Member of the call's data that names its channel. */
  channelIn: string
}

/** A command of a session, as it came into the log: nothing in it depends on when or where it is handled. */
export interface AppCommand {
  /** The channel that the command is for; its slot handles it. */
  channel: string
  /** `publish` and `history` of the client protocol, or the name of a call. */
  method: string
  /** '' for a user without a name. */
  user: string
  /** Id of the session; a user may have many. */
  session: string
  /** JSON of the connection's info, or null. */
  connInfo: string | null
  /** Milliseconds since 1970 when it entered the log. */
  time: number
  /** Hex; the source of every id that is made from this command. */
  seed: string
  /** How many of the newest messages, and how old ones, history may show in this channel. */
  history: { size: number; ttlMs: number }
  /** JSON of what it brings: a publication's data, a call's data, `{limit, since, reverse}` of a history. */
  data: Buffer
}

/** A channel before the batch; one that is new has offset 0. */
export interface Stream {
  /** Identity of the stream: a channel that is made anew has another. */
  epoch: string
  /** Offset of the newest message; offsets start at 1. */
  top: number
  /** Milliseconds since 1970; no later message is older, see `timeAfter`. */
  lastTime: number
}

/**
 * What a batch of commands meets: read before the batch, and the same for all of it but for what its own commands do.
 */
export interface AppState {
  /** Who handles the batch: for what the app shows of it, never for what it decides. */
  worker: string
  /** Version of that worker. */
  version: string
  /** Every channel that a command names. */
  channels: ReadonlyMap<string, Stream>
  /** Messages that idempotency hashes led to, by idemKey. */
  known: ReadonlyMap<string, AppMessage>
}

/** A message of a channel, kept for good. */
export interface AppMessage {
  /** Its channel. */
  channel: string
  /** Place in its channel, from 1, without gaps. */
  offset: number
  /** Made from the command's seed, so that a replay gives the same. */
  id: string
  /** Who sent it; '' for a user without a name. */
  user: string
  /** The payload's JSON as it came. */
  data: Buffer
  /** JSON of the sender's ClientInfo, or null. */
  info: string | null
  /** JSON object of strings, or null. */
  tags: string | null
  /** Milliseconds since 1970. */
  time: number
  /** What `idem` gave for its command: unique in its channel. */
  idem: Buffer | null
}

/** What a command comes to. A command may publish any number of messages, and is answered once. */
export type Effect =
  /** Offset, time and channel must go on from the stream: offset = top + 1, and time as `timeAfter` has it or later. */
  | { type: 'publish'; message: AppMessage }
  /**
   * JSON text of the method's result. When it is an object with a number `offset`, and perhaps `epoch`, they name the
   * message that the command published, or the one that its idempotency key led to; naming another counts against the app.
   */
  | { type: 'reply'; body: string }
  /** The command had no effect. */
  | { type: 'fail'; error: CommandError }
  /** Answered after the commit, from committed messages. A null query needs none. */
  | { type: 'read'; query: ReadQuery | null }

/**
 * Messages of the command's channel that a read is answered from: of those that match, as many as fit in an answer, and
 * at least one.
 */
export interface ReadQuery {
  /** Exclusive bounds on the offset. */
  after: number
  /** Null for no bound. */
  before: number | null
  /** Only messages at or after this time (ms). */
  since: number
  /** Messages at most. */
  limit: number
  /** Newest first. */
  reverse: boolean
}

/** A read with the stream as it was at the read's place in the log. */
export interface Read {
  /** The command that asks. */
  command: AppCommand
  /** Its channel at that place. */
  stream: Stream
}
