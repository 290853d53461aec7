import { hash } from 'node:crypto'
import type { AppCommand } from '../../protocol/app/contract.ts'
import { CommandRefused } from '../../protocol/app/errors.ts'
import { errors } from '../../protocol/client/codes.ts'

/** Characters that an idempotency key has at most. */
export const keyLengthMax = 128

/** `chat.send {channel, data, key?}`; throws CommandRefused. */
export function parseSend(text: string): { key: string | null } {
  const { data, key } = JSON.parse(text) as { data?: unknown; key?: unknown }
  if (data === undefined) throw new CommandRefused(errors.badRequest)
  if (key === undefined || key === null) return { key: null }
  if (typeof key !== 'string' || key === '' || key.length > keyLengthMax) throw new CommandRefused(errors.badRequest)
  return { key }
}

/** A key counts per user, and per connection where there is no user: 16 bytes that stand for both. */
export function idemHash({ user, session }: Pick<AppCommand, 'user' | 'session'>, key: string): Buffer {
  const whose = user === '' ? [user, session] : [user]
  return hash('sha256', JSON.stringify([...whose, key]), 'buffer').subarray(0, 16)
}
