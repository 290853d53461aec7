import { errors } from '../../protocol/client/codes.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import type { EventError } from '../../protocol/records/event.ts'
import { publicationJson } from '../../protocol/client/publication.ts'
import type { Message, MessageQuery } from '../../store/store.ts'
import { CommandRefused } from '../../worker/app/app.ts'
import type { Read, Stream } from '../../worker/app/app.ts'
import type { StreamPosition } from '../../protocol/stream.ts'

/** What one answer holds at most, so that it fits one record of the log. */
export const answerBytesMax = 800_000

export const pageLimit = { usual: 50, max: 100 }

interface HistoryParams {
  limit: number
  since: StreamPosition | null
  reverse: boolean
}

interface RecoverParams {
  after: number
  upTo: number
  limit: number
  /** Given by a proxy that takes the range in pages, each as large as this. */
  bytesMax?: number
}

interface PageParams {
  after?: unknown
  before?: unknown
  limit?: unknown
}

/** What a read looks for, at its place in the log; null when the stream alone answers it. Throws CommandRefused. */
export function readQuery(command: CommandRecord, stream: Stream): MessageQuery | null {
  const params: unknown = JSON.parse(command.payload.toString())
  switch (command.method) {
    case 'history':
      return historyQuery(command, stream, params as HistoryParams)
    case 'recover':
      return recoverQuery(command, stream, params as RecoverParams)
    default:
      return pageQuery(command, stream, params as PageParams)
  }
}

/** History shows the newest `size` publications that are not older than `ttl`. */
function windowOf(command: CommandRecord, stream: Stream): { floor: number; since: number } {
  return { floor: Math.max(0, stream.top - command.history.size), since: command.time - command.history.ttlMs }
}

function historyQuery(command: CommandRecord, stream: Stream, params: HistoryParams): MessageQuery | null {
  const { limit, since, reverse } = params
  if (since && since.epoch !== '' && since.epoch !== stream.epoch)
    throw new CommandRefused(errors.unrecoverablePosition)
  if (limit === 0) return null
  const window = windowOf(command, stream)
  return {
    channel: command.channel,
    after: since && !reverse ? Math.max(window.floor, since.offset) : window.floor,
    before: since && reverse ? Math.min(since.offset, stream.top + 1) : stream.top + 1,
    since: window.since,
    limit,
    reverse,
    bytesMax: answerBytesMax,
  }
}

/** All or nothing: what lies between must be in the window and within the limit, though it may come in pages. */
function recoverQuery(command: CommandRecord, stream: Stream, params: RecoverParams): MessageQuery {
  const { after, upTo, limit } = params
  const { floor, since } = windowOf(command, stream)
  // Nobody has what is yet to come.
  if (upTo > stream.top || after < floor || upTo - after > limit) throw new CommandRefused(errors.unrecoverablePosition)
  const bytesMax = Math.min(params.bytesMax ?? answerBytesMax, answerBytesMax)
  return { channel: command.channel, after, before: upTo + 1, since, limit, reverse: false, bytesMax }
}

/** Pages over all that is stored: the first ones after an offset, or the last ones before one. */
function pageQuery(command: CommandRecord, stream: Stream, params: PageParams): MessageQuery {
  const after = offsetOf(params.after)
  const before = offsetOf(params.before)
  const limit = params.limit ?? pageLimit.usual
  if (!Number.isSafeInteger(limit) || (limit as number) < 1 || (limit as number) > pageLimit.max) {
    throw new CommandRefused(errors.badRequest)
  }
  return {
    channel: command.channel,
    after: after ?? 0,
    before: Math.min(before ?? Infinity, stream.top + 1),
    since: 0,
    limit: limit as number,
    reverse: after === null,
    bytesMax: answerBytesMax,
  }
}

function offsetOf(value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new CommandRefused(errors.badRequest)
  return value as number
}

export function answerRead({ command, stream }: Read, messages: Message[]): { body: string } | { error: EventError } {
  switch (command.method) {
    case 'history': {
      const publications = messages.map(publicationJson).join(',')
      const epoch = JSON.stringify(stream.epoch)
      return { body: `{"publications":[${publications}],"epoch":${epoch},"offset":${stream.top}}` }
    }
    case 'recover': {
      const { after, upTo, bytesMax } = JSON.parse(command.payload.toString()) as RecoverParams
      // Messages grow only younger: when the first one is in the window, all are.
      const isComplete = bytesMax === undefined ? messages.length === upTo - after : messages[0]?.offset === after + 1
      if (!isComplete) return { error: errors.unrecoverablePosition }
      return { body: messages.map(publicationJson).join(',') }
    }
    default: {
      const ascending = messages.toSorted((a, b) => a.offset - b.offset).map(pageEntry)
      const epoch = JSON.stringify(stream.epoch)
      return { body: `{"messages":[${ascending.join(',')}],"epoch":${epoch},"top":${stream.top}}` }
    }
  }
}

function pageEntry({ id, offset, user, data, time, tags }: Message): string {
  const start = JSON.stringify({ id, offset, user, time }).slice(0, -1)
  return `${start},"data":${data.toString()}${tags === null ? '' : `,"tags":${tags}`}}`
}
