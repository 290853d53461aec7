import { jsonBytes } from '../protocol/records/sizes.ts'
import type { Commit } from './store.ts'

/** More than a row takes beside what is counted by its length, in whatever way a store is told of it. */
const rowBytes = 250

/** What a commit counts for beside its rows: its fence. */
const fenceBytes = 400

const bytesOf = (text: string): number => Buffer.byteLength(text)

/**
 * Bytes of everything that a commit writes. No store makes more than twice as much of it: a statement's literals take two
 * characters a byte (test/store/commit-size.test.ts).
 */
export function commitBytes(commit: Commit): number {
  let bytes = fenceBytes + bytesOf(commit.slot)
  const row = (...sizes: number[]) => {
    bytes += rowBytes + bytesOf(commit.slot)
    for (const size of sizes) bytes += size
  }
  for (const { name, epoch } of commit.channels) row(bytesOf(name), bytesOf(epoch))
  for (const { id, user, data, info, tags } of commit.messages)
    row(bytesOf(id), bytesOf(user), data.byteLength, bytesOf(info ?? ''), bytesOf(tags ?? ''))
  for (const [, instance] of commit.interestAdded) row(bytesOf(instance))
  for (const [, instance] of commit.interestRemoved) row(bytesOf(instance))
  for (const [producer] of commit.producers) row(bytesOf(producer))
  for (const instance of commit.gone) row(4 * bytesOf(instance))
  for (const { inboxes, body } of commit.outbox) row(jsonBytes(inboxes), body.byteLength)
  for (const { inboxes } of commit.outboxNarrowed) row(jsonBytes(inboxes))
  bytes += commit.outboxDone.length * rowBytes
  for (const { reason, record } of commit.deadLetters) row(bytesOf(reason), record.byteLength)
  return bytes
}
