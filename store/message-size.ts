import { jsonBytes } from '../protocol/records/sizes.ts'
import type { Message } from './store.ts'

/** More than the names of members and the numbers of a message take in any form. */
const membersBytes = 150

/** Bytes that a message takes at most in an answer or event, in whichever form clients get it. */
export function messageBytes({
  data,
  info,
  tags,
  user,
  id,
}: Pick<Message, 'data' | 'info' | 'tags' | 'user' | 'id'>): number {
  const texts = Buffer.byteLength(info ?? '') + Buffer.byteLength(tags ?? '')
  return data.byteLength + texts + jsonBytes(user) + jsonBytes(id) + membersBytes
}
