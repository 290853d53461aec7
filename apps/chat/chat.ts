import type { App, AppCommand, AppMessage, AppState, Effect } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { fold, idemKey } from '../../protocol/app/fold.ts'
import { timeAfter } from '../../protocol/app/time.ts'
import { errors } from '../../protocol/client/codes.ts'
import { sliceMember } from '../../protocol/json.ts'
import { answerRead, readQuery } from './reads.ts'
import { idemHash, parseSend } from './send.ts'

/**
 * The chat: publications are durable messages, `chat.send` sends one at most once per key, and history and `chat.messages`
 * read them.
 */
export const chat: App = {
  calls: {
    'chat.send': { permission: 'publish', isRead: false, channelIn: 'channel' },
    // All that is stored can be read: what it takes is the right to, not that recent history is on.
    'chat.messages': { permission: 'history', isRead: true, channelIn: 'channel' },
  },
  idem(command) {
    if (command.method !== 'chat.send') return null
    const { key } = parseSend(command.data.toString())
    return key === null ? null : idemHash(command, key)
  },
  handle: (state, commands) => fold(state, commands, handle),
  answer: answerRead,
}

function handle(state: AppState, command: AppCommand): Effect[] {
  try {
    switch (command.method) {
      case 'publish':
        return [{ type: 'publish', message: messageOf(state, command, command.data, null, null) }, reply('{}')]
      case 'chat.send':
        return send(state, command)
      case 'history':
      case 'chat.messages':
        return [{ type: 'read', query: readQuery(command, state.channels.get(command.channel)!) }]
      default:
        return [{ type: 'fail', error: errors.notAvailable }]
    }
  } catch (error) {
    if (error instanceof CommandRefused) return [{ type: 'fail', error: error.error }]
    throw error
  }
}

function send(state: AppState, command: AppCommand): Effect[] {
  const text = command.data.toString()
  const { key } = parseSend(text)
  const data = Buffer.from(sliceMember(text, 'data')!)
  const idem = key === null ? null : idemHash(command, key)
  const earlier = idem && state.known.get(idemKey(command.channel, idem))
  if (earlier) {
    return earlier.data.equals(data) ? [sent(state, earlier)] : [{ type: 'fail', error: errors.badRequest }]
  }
  const tags = JSON.stringify({ worker: state.worker, version: state.version })
  const message = messageOf(state, command, data, idem, tags)
  return [{ type: 'publish', message }, sent(state, message)]
}

function sent(state: AppState, { channel, id, offset }: AppMessage): Effect {
  return reply(JSON.stringify({ id, epoch: state.channels.get(channel)!.epoch, offset }))
}

function reply(body: string): Effect {
  return { type: 'reply', body }
}

function messageOf(
  state: AppState,
  command: AppCommand,
  data: Buffer,
  idem: Buffer | null,
  tags: string | null,
): AppMessage {
  const stream = state.channels.get(command.channel)!
  return {
    channel: command.channel,
    offset: stream.top + 1,
    id: command.seed,
    user: command.user,
    data,
    info: senderInfo(command),
    tags,
    time: timeAfter(stream, command.time),
    idem,
  }
}

/** ClientInfo of the client protocol. */
function senderInfo({ user, session, connInfo }: AppCommand): string {
  const info = JSON.stringify({ user, client: session })
  return connInfo === null ? info : `${info.slice(0, -1)},"conn_info":${connInfo}}`
}
