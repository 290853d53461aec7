import type { Message } from '../../store/store.ts'
import { jsonBytes } from '../records/sizes.ts'

/** A message as clients get it, live or from history: one JSON object, serialised once. */
export function publicationJson(message: Message): string {
  const info = message.info === null ? '' : `,"info":${message.info}`
  const tags = message.tags === null ? '' : `,"tags":${message.tags}`
  return `{"offset":${message.offset},"data":${message.data.toString()}${info}${tags},"time":${message.time}}`
}

/** More than the names of members and the numbers of a message take in any form. */
const membersBytes = 150

/** Bytes that a message takes at most in an answer or event, in whichever form clients get it. */
export function messageBytes({ data, info, tags, user, id }: Message): number {
  const texts = Buffer.byteLength(info ?? '') + Buffer.byteLength(tags ?? '')
  return data.byteLength + texts + jsonBytes(user) + jsonBytes(id) + membersBytes
}
