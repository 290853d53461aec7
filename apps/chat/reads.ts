import type { AppCommand, AppMessage, Read, ReadQuery, Stream } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { historyWindow } from '../../protocol/app/history.ts'
import { errors } from '../../protocol/client/codes.ts'
import { publicationJson } from '../../protocol/client/publication.ts'
import type { StreamPosition } from '../../protocol/stream.ts'

/** Messages in a page of `chat.messages`: without a `limit`, and with any. */
export const pageLimit = { usual: 50, max: 100 }

interface HistoryParams {
  limit: number
  since: StreamPosition | null
  reverse: boolean
}

interface PageParams {
  after?: unknown
  before?: unknown
  limit?: unknown
}

/** What a read looks for, at its place in the log; null when the stream alone answers it. Throws CommandRefused. */
export function readQuery(command: AppCommand, stream: Stream): ReadQuery | null {
  const params: unknown = JSON.parse(command.data.toString())
  switch (command.method) {
    case 'history':
      return historyQuery(command, stream, params as HistoryParams)
    default:
      return pageQuery(stream, params as PageParams)
  }
}

function historyQuery(command: AppCommand, stream: Stream, params: HistoryParams): ReadQuery | null {
  const { limit, since, reverse } = params
  if (since && since.epoch !== '' && since.epoch !== stream.epoch)
    throw new CommandRefused(errors.unrecoverablePosition)
  if (limit === 0) return null
  const window = historyWindow(command, stream)
  return {
    after: since && !reverse ? Math.max(window.floor, since.offset) : window.floor,
    before: since && reverse ? Math.min(since.offset, stream.top + 1) : stream.top + 1,
    since: window.since,
    limit,
    reverse,
  }
}

/** Pages over all that is stored: the first ones after an offset, or the last ones before one. */
function pageQuery(stream: Stream, params: PageParams): ReadQuery {
  const after = offsetOf(params.after)
  const before = offsetOf(params.before)
  const limit = params.limit ?? pageLimit.usual
  if (!Number.isSafeInteger(limit) || (limit as number) < 1 || (limit as number) > pageLimit.max) {
    throw new CommandRefused(errors.badRequest)
  }
  return {
    after: after ?? 0,
    before: Math.min(before ?? Infinity, stream.top + 1),
    since: 0,
    limit: limit as number,
    reverse: after === null,
  }
}

function offsetOf(value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new CommandRefused(errors.badRequest)
  return value as number
}

/**
 * The result of a read, as JSON: of `history` as Centrifugo has it, of `chat.messages` with what the chat shows, oldest
 * first.
 */
export function answerRead({ command, stream }: Read, messages: AppMessage[]): { body: string } {
  switch (command.method) {
    case 'history': {
      const publications = messages.map(publicationJson).join(',')
      const epoch = JSON.stringify(stream.epoch)
      return { body: `{"publications":[${publications}],"epoch":${epoch},"offset":${stream.top}}` }
    }
    default: {
      const ascending = messages.toSorted((a, b) => a.offset - b.offset).map(pageEntry)
      const epoch = JSON.stringify(stream.epoch)
      return { body: `{"messages":[${ascending.join(',')}],"epoch":${epoch},"top":${stream.top}}` }
    }
  }
}

function pageEntry({ id, offset, user, data, time, tags }: AppMessage): string {
  const start = JSON.stringify({ id, offset, user, time }).slice(0, -1)
  return `${start},"data":${data.toString()}${tags === null ? '' : `,"tags":${tags}`}}`
}
