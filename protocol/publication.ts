import type { Message } from '../store/store.ts'

/** A message as clients get it, live or from history: one JSON object, serialised once. */
export function publicationJson(message: Message): string {
  const info = message.info === null ? '' : `,"info":${message.info}`
  const tags = message.tags === null ? '' : `,"tags":${message.tags}`
  return `{"offset":${message.offset},"data":${message.data.toString()}${info}${tags},"time":${message.time}}`
}
