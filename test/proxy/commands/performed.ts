import { chat } from '../../../apps/chat/chat.ts'
import { defaultConfig } from '../../../config/keys.ts'
import type { ClientError, CloseReason } from '../../../protocol/client/codes.ts'
import type { ClientCommand } from '../../../protocol/client/command.ts'
import type { ServerMessage } from '../../../protocol/client/message.ts'
import type { Context } from '../../../proxy/commands/context.ts'
import type { Forwarded } from '../../../proxy/commands/forwarding.ts'
import { perform } from '../../../proxy/commands/gate.ts'
import { newIntake, newSession } from '../../../proxy/sessions/session.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { testEnv } from '../../harness/env.ts'
import { connectionOf } from '../../support/connection.ts'

/** What of a proxy answers the questions of its commands. */
interface Answers {
  /** Of who may do what in a channel. */
  refusal: ClientError | null
  /** Publications that history shows. */
  historySize: number
  isPongExpected: boolean
}

/**
 * What comes of a command, line by line and in order: what is asked of the proxy, and what the client is told, or that its
 * command goes on. The proxy lets everybody do everything but for what is given.
 */
export function performed(command: ClientCommand, phase: Session['phase'], given: Partial<Answers> = {}): string[] {
  const answers: Answers = { refusal: null, historySize: 10, isPongExpected: true, ...given }
  const said: string[] = []
  const context = {
    env: testEnv(),
    config: defaultConfig(),
    calls: chat.calls,
    version: 'v',
    sessions: {
      close: (_session: Session, { reason }: CloseReason) => void said.push(`closed: ${reason}`),
      connected: (session: Session) => void (session.phase = 'connected'),
      pong: () => answers.isPongExpected,
    },
    output: {
      send: (_session: Session, message: ServerMessage) =>
        void said.push(message.kind === 'error' ? `error: ${message.error.message}` : message.kind),
    },
    namespaces: {
      refusal: (_session: Session, channel: string, permission: string) => {
        said.push(`may it ${permission} in ${channel}?`)
        return answers.refusal
      },
      invalid: () => null,
      isName: () => true,
      optionsOf: () => ({
        ...defaultConfig().channel.without_namespace,
        history_size: answers.historySize,
        history_ttl: 1,
      }),
    },
    subscriptions: { add: () => true, delete: () => true },
    hub: {
      subscribe: (_session: Session, channel: string) => void said.push(`subscribes to ${channel}`),
      leave: (_session: Session, channel: string) => void said.push(`leaves ${channel}`),
    },
    forwarding: {
      forward: (_session: Session, { method, channel, data, isRead }: Forwarded) =>
        void said.push(`${isRead ? 'reads' : 'sends'} ${method} to ${channel}: ${data}`),
    },
    tokens: { verify: () => ({ identity: { user: 'ada', expiresAt: 0, connInfo: null } }) },
    refusals: { refused: () => {} },
  } as unknown as Context
  const start = { id: 's', connection: connectionOf({}), address: '', connectBy: 0, intake: newIntake(0, 0, 0) }
  perform(context, { ...newSession(start), phase, user: 'ada' }, command)
  return said
}

/** One command of each method, as a client sends it that makes no mistake. */
export const commandOf: { [M in ClientCommand['method']]: ClientCommand & { method: M } } = {
  pong: { method: 'pong' },
  send: { method: 'send' },
  connect: { id: 1, method: 'connect', token: 't' },
  subscribe: {
    id: 1,
    method: 'subscribe',
    channel: 'room',
    token: '',
    recover: null,
    recoverable: false,
    positioned: false,
    rejectUnrecovered: false,
    type: 0,
    delta: '',
    isFiltered: false,
  },
  unsubscribe: { id: 1, method: 'unsubscribe', channel: 'room' },
  publish: { id: 1, method: 'publish', channel: 'room', data: '{"text":"hello"}' },
  history: { id: 1, method: 'history', channel: 'room', limit: 5, since: null, reverse: false },
  rpc: { id: 1, method: 'rpc', name: 'chat.send', data: '{"channel":"room","data":1}' },
  refresh: { id: 1, method: 'refresh', token: 't' },
  presence: { id: 1, method: 'presence' },
  presence_stats: { id: 1, method: 'presence_stats' },
  sub_refresh: { id: 1, method: 'sub_refresh' },
}
