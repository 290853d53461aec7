/**
 * Proves what is done with each command of a client that is connected, and in which order: what no client may send closes
 * the connection, what is wrong with the command itself is said before it is asked who may do it, and only what may be done
 * goes on to its slot.
 */
import t from 'tap'
import { defaultConfig } from '../../../config/keys.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { commandOf, performed } from './performed.ts'

const denied = { refusal: errors.permissionDenied }

void t.test('commands that the protocol knows and nobody offers', async (t) => {
  for (const method of ['presence', 'presence_stats', 'sub_refresh'] as const)
    t.strictSame(performed(commandOf[method], 'connected'), ['error: not available'], method)
  t.strictSame(performed(commandOf.send, 'connected'), ['closed: not available'], 'it has no reply that could say so')
})

void t.test('a command that needs a channel or a token and has none closes the connection', async (t) => {
  const none = { channel: '' }
  for (const command of [
    { ...commandOf.subscribe, ...none },
    { ...commandOf.unsubscribe, ...none },
    { ...commandOf.publish, ...none },
    { ...commandOf.history, ...none },
    { ...commandOf.refresh, token: '' },
  ])
    t.strictSame(performed(command, 'connected', denied), ['closed: bad request'], command.method)
})

void t.test('subscribe', async (t) => {
  const { subscribe } = commandOf
  const asked = 'may it subscribe in room?'
  t.strictSame(performed(subscribe, 'connected', denied), [asked, 'error: permission denied'])
  const [first, ...rest] = performed(subscribe, 'connected')
  t.strictSame([first, rest.at(-1)], [asked, 'subscribes to room'])
  t.strictSame(performed({ ...subscribe, type: 4 }, 'connected'), [asked, 'error: not available'])
  t.strictSame(performed({ ...subscribe, isFiltered: true }, 'connected'), [asked, 'error: bad request'])
})

void t.test('unsubscribe is open to everybody', async (t) => {
  t.strictSame(performed(commandOf.unsubscribe, 'connected', denied), ['leaves room', 'reply'])
})

void t.test('publish', async (t) => {
  const { publish } = commandOf
  const asked = 'may it publish in room?'
  t.strictSame(performed({ ...publish, data: null }, 'connected', denied), ['error: bad request'])
  t.strictSame(performed(publish, 'connected', denied), [asked, 'error: permission denied'])
  t.strictSame(performed(publish, 'connected'), [asked, 'sends publish to room: {"text":"hello"}'])
})

void t.test('history', async (t) => {
  const { history } = commandOf
  const asked = 'may it history in room?'
  const off = { historySize: 0 }
  t.strictSame(performed(history, 'connected', { ...denied, ...off }), [asked, 'error: permission denied'])
  t.strictSame(performed(history, 'connected', off), [asked, 'error: not available'])
  t.strictSame(performed(history, 'connected'), [
    asked,
    'reads history to room: {"limit":5,"since":null,"reverse":false}',
  ])
  const { recovery_max_publication_limit: most } = defaultConfig().client
  for (const limit of [-1, most + 1])
    t.match(
      performed({ ...history, limit }, 'connected').at(-1),
      `{"limit":${most},`,
      `${limit}: as many as anybody may`,
    )
})

void t.test('a call of the app: it says what its caller must be allowed, and where it goes', async (t) => {
  const { rpc } = commandOf
  t.strictSame(performed({ ...rpc, name: 'toString' }, 'connected', denied), ['error: not available'])
  for (const data of ['null', '{}', '{"channel":7}', '{"channel":""}'])
    t.strictSame(performed({ ...rpc, data }, 'connected', denied), ['error: bad request'], data)
  t.strictSame(performed(rpc, 'connected', denied), ['may it publish in room?', 'error: permission denied'])
  t.strictSame(performed(rpc, 'connected'), ['may it publish in room?', `sends chat.send to room: ${rpc.data}`])
  const read = { ...rpc, name: 'chat.messages', data: '{"channel":"room"}' }
  t.strictSame(performed(read, 'connected'), ['may it history in room?', `reads chat.messages to room: ${read.data}`])
})
