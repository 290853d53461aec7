import { errors } from '../../protocol/client/codes.ts'
import type { Session } from '../sessions/session.ts'
import { channelOfCall } from './channel-of.ts'
import type { CommandOf, Context } from './context.ts'
import { refuse } from './refuse.ts'

/** A call of the app, which has said what it takes to be let through and where it goes. */
export function rpc(context: Context, session: Session, { id, name, data }: CommandOf<'rpc'>): void {
  const { calls, namespaces, forwarding } = context
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined
  if (!call) return refuse(context, session, id, errors.notAvailable)
  const channel = channelOfCall(data, call.channelIn)
  if (channel === undefined) return refuse(context, session, id, errors.badRequest)
  const refusal = namespaces.refusal(session, channel, call.permission)
  if (refusal) return refuse(context, session, id, refusal)
  forwarding.forward(session, { id, reply: 'rpc', method: name, channel, data, isRead: call.isRead })
}
