import type { Stream } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { historyWindow } from '../../protocol/app/history.ts'
import { errors } from '../../protocol/client/codes.ts'
import type { CommandError } from '../../protocol/client/codes.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { encodeRecovered } from '../../protocol/records/runtime.ts'
import type { RecoverRange } from '../../protocol/records/runtime.ts'
import { answerBytesMax } from '../../protocol/records/sizes.ts'
import type { Message, MessageQuery } from '../../store/store.ts'

/**
 * Messages of a range, at its place in the log. All or nothing: what lies between must be in the history's window and
 * within the limit, though it may come in pages. Throws CommandRefused.
 */
export function recoverQuery(
  command: Pick<CommandRecord, 'channel' | 'history' | 'time'>,
  stream: Stream,
  { after, upTo, limit, bytesMax = answerBytesMax }: RecoverRange,
): MessageQuery {
  const { floor, since } = historyWindow(command, stream)
  // Nobody has what is yet to come.
  if (upTo > stream.top || after < floor || upTo - after > limit) throw new CommandRefused(errors.unrecoverablePosition)
  const { channel } = command
  return {
    channel,
    after,
    before: upTo + 1,
    since,
    limit,
    reverse: false,
    bytesMax: Math.min(bytesMax, answerBytesMax),
  }
}

/** The page that was found, or 112 when it is not what the range begins with. */
export function answerRecover(
  { after, upTo, bytesMax }: RecoverRange,
  messages: Message[],
): { body: string } | { error: CommandError } {
  // Messages grow only younger: when the first one is in the window, all are.
  const isThere = bytesMax === undefined ? messages.length === upTo - after : messages[0]?.offset === after + 1
  return isThere ? { body: encodeRecovered(messages) } : { error: errors.unrecoverablePosition }
}
