import type { ClientError, CloseReason } from './codes.ts'

/** What proxies send: single protocol messages as JSON text without line breaks; several are joined by line feeds. */

export interface ConnectResult {
  client: string
  version: string
  expires?: true
  /** Seconds. */
  ttl?: number
  ping?: number
  pong?: true
}

export interface SubscribeResult {
  recoverable?: true
  positioned?: true
  epoch?: string
  offset?: number
  recovered?: boolean
  was_recovering?: true
}

type ReplyMethod = 'connect' | 'subscribe' | 'unsubscribe' | 'publish' | 'history' | 'rpc' | 'refresh'

/** `result` is the JSON text of the method's result object. */
export function replyText(id: number, method: ReplyMethod, result: string): string {
  return `{"id":${id},"${method}":${result}}`
}

export function errorText(id: number, error: ClientError): string {
  return JSON.stringify({ id, error })
}

/** A subscribe result with the publications that were missed, each already JSON. */
export function subscribeText(id: number, result: SubscribeResult, publications: string): string {
  const text = JSON.stringify(result)
  if (publications === '') return replyText(id, 'subscribe', text)
  return replyText(id, 'subscribe', `${text.slice(0, -1)}${text === '{}' ? '' : ','}"publications":[${publications}]}`)
}

export function publicationText(channel: string, publication: string): string {
  return `{"push":{"channel":${JSON.stringify(channel)},"pub":${publication}}}`
}

export function unsubscribeText(channel: string, { code, reason }: CloseReason): string {
  return JSON.stringify({ push: { channel, unsubscribe: { code, reason } } })
}

export function disconnectText({ code, reason }: CloseReason): string {
  const reconnect = code < 3500 || (code >= 4000 && code < 4500) || code >= 5000
  return JSON.stringify({ push: { disconnect: { code, reason, ...(reconnect && { reconnect }) } } })
}

export const pingText = '{}'
