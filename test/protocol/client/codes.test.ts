/** Proves that the tables of codes are whole: each number once and in the range that tells SDKs what to do. */
import t from 'tap'
import { disconnects, errors, unsubscribes } from '../../../protocol/client/codes.ts'
import type { ClientError } from '../../../protocol/client/codes.ts'

const isUnique = (codes: number[]) => new Set(codes).size === codes.length

void t.test('errors', async (t) => {
  const all: ClientError[] = Object.values(errors)
  t.ok(isUnique(all.map(({ code }) => code)))
  for (const { code, message } of all) {
    t.ok((code >= 100 && code <= 113) || (code >= 400 && code <= 1_999), `${code}`)
    t.ok(message.length > 0)
  }
  const temporary = all.filter((error) => error.temporary).map(({ code }) => code)
  t.strictSame(temporary, [100, 111], 'those that an SDK sends again by itself')
})

void t.test('unsubscribes: from 2500 on the client subscribes again', async (t) => {
  const { insufficient, expired, invalidated } = unsubscribes
  t.strictSame([insufficient.code, expired.code, invalidated.code], [2500, 2501, 2502])
})

void t.test('disconnects: up to 3499 the client comes back, then it does not', async (t) => {
  const all = Object.entries(disconnects)
  t.ok(isUnique(all.map(([, { code }]) => code)))
  const final = ['invalidToken', 'badRequest', 'stale', 'inappropriateProtocol', 'permissionDenied', 'notAvailable']
  for (const [name, { code, reason }] of all) {
    t.ok(final.includes(name) ? code >= 3500 && code < 4000 : code >= 3000 && code < 3500, name)
    t.ok(Buffer.byteLength(reason) <= 123, 'fits a close frame')
  }
})
