import type { App } from '../../protocol/app/contract.ts'
import type { ClientCommand } from '../../protocol/client/command.ts'

/** The channel that a command is about, undefined when it is about none; a call of the app names it in its data. */
export function channelOf(command: ClientCommand, calls: App['calls']): string | undefined {
  if (command.method !== 'rpc') return 'channel' in command && command.channel !== '' ? command.channel : undefined
  const call = Object.hasOwn(calls, command.name) ? calls[command.name] : undefined
  return call && channelOfCall(command.data, call.channelIn)
}

/** The channel that a call's data names. */
export function channelOfCall(data: string, member: string): string | undefined {
  const channel = (JSON.parse(data) as Record<string, unknown> | null)?.[member]
  return typeof channel === 'string' && channel !== '' ? channel : undefined
}
