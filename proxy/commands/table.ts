import { disconnects, errors } from '../../protocol/client/codes.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'
import type { Session } from '../sessions/session.ts'
import { connect } from './connect.ts'
import type { CommandOf, Context } from './context.ts'
import { history } from './history.ts'
import { publish } from './publish.ts'
import { refresh } from './refresh.ts'
import { refuse } from './refuse.ts'
import { rpc } from './rpc.ts'
import { subscribe } from './subscribe.ts'
import { unsubscribe } from './unsubscribe.ts'

type Method = ClientCommand['method']

/** Known to the protocol and not offered. */
const unavailable = (context: Context, session: Session, { id }: { id: number }): void =>
  refuse(context, session, id, errors.notAvailable)

/** What is done with each command of the client protocol. */
export const commands: { [M in Method]: (context: Context, session: Session, command: CommandOf<M>) => void } = {
  connect,
  refresh,
  subscribe,
  unsubscribe,
  publish,
  history,
  rpc,
  presence: unavailable,
  presence_stats: unavailable,
  sub_refresh: unavailable,
  // It has no reply that could say so.
  send: ({ sessions }, session) => sessions.close(session, disconnects.notAvailable),
  pong: ({ sessions }, session) => {
    if (!sessions.pong(session)) sessions.close(session, disconnects.badRequest)
  },
}
