import { errors } from '../../protocol/client/codes.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { sliceMember } from '../../protocol/json.ts'
import type { Message } from '../../store/store.ts'
import { CommandRefused, fold, idemKey, timeAfter } from '../../worker/app/app.ts'
import type { App, AppState, Effect } from '../../worker/app/app.ts'
import { answerRead, readQuery } from './reads.ts'
import { idemHash, parseSend } from './send.ts'

/**
 * The chat: publications are durable messages, `chat.send` sends one at most once per key, and history, recovery and
 * `chat.messages` read them.
 */
export const chat: App = {
  idem(command) {
    if (command.method !== 'chat.send') return null
    const { key } = parseSend(command.payload.toString())
    return key === null ? null : idemHash(command, key)
  },
  handle: (state, commands) => fold(state, commands, handle),
  answer: answerRead,
}

function handle(state: AppState, command: CommandRecord): Effect[] {
  try {
    switch (command.method) {
      case 'publish':
        return [{ type: 'publish', message: messageOf(state, command, command.payload, null, null) }, reply('{}')]
      case 'chat.send':
        return send(state, command)
      case 'history':
      case 'recover':
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

function send(state: AppState, command: CommandRecord): Effect[] {
  const text = command.payload.toString()
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

function sent(state: AppState, { channel, id, offset }: Message): Effect {
  return reply(JSON.stringify({ id, epoch: state.channels.get(channel)!.epoch, offset }))
}

function reply(body: string): Effect {
  return { type: 'reply', body }
}

function messageOf(
  state: AppState,
  command: CommandRecord,
  data: Buffer,
  idem: Buffer | null,
  tags: string | null,
): Message {
  const stream = state.channels.get(command.channel)!
  return {
    channel: command.channel,
    offset: stream.top + 1,
    id: command.seed,
    kind: 'message',
    user: command.user,
    data,
    info: senderInfo(command),
    tags,
    time: timeAfter(stream, command.time),
    idem,
  }
}

/** ClientInfo of the client protocol. */
function senderInfo({ user, session, connInfo }: CommandRecord): string {
  const info = JSON.stringify({ user, client: session })
  return connInfo === null ? info : `${info.slice(0, -1)},"conn_info":${connInfo}}`
}
