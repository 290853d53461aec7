import { comesBack } from './message.ts'
import type { ServerMessage, SubscribeResult } from './message.ts'

/** A message in the JSON form of the protocol: text without line breaks; several go together joined by line feeds. */
export function encodeMessage(message: ServerMessage): string {
  switch (message.kind) {
    case 'reply':
      return `{"id":${message.id},"${message.method}":${message.result}}`
    case 'error':
      return JSON.stringify({ id: message.id, error: message.error })
    case 'subscribed':
      return `{"id":${message.id},"subscribe":${subscribeResult(message.result, message.publications)}}`
    case 'publication':
      return `{"push":{"channel":${JSON.stringify(message.channel)},"pub":${message.publication}}}`
    case 'unsubscribed': {
      const { code, reason } = message.reason
      return JSON.stringify({ push: { channel: message.channel, unsubscribe: { code, reason } } })
    }
    case 'disconnect': {
      const { code, reason } = message.reason
      return JSON.stringify({
        push: { disconnect: { code, reason, ...(comesBack(message.reason) && { reconnect: true }) } },
      })
    }
    case 'ping':
      return '{}'
  }
}

function subscribeResult(result: SubscribeResult, publications: string[]): string {
  const text = JSON.stringify(result)
  if (publications.length === 0) return text
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"publications":[${publications.join(',')}]}`
}
