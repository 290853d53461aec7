/** Which rooms were not as they should be, told from what clients did and saw. */
import type { Finding } from '../../checker/finding.ts'
import type { Operation } from '../../checker/history.ts'

/** An answer that comes later than this is harm. */
export const promptMs = 1_000

export interface Harm {
  /** Rooms in which something was refused or its outcome stayed unclear, or of which the checker found something. */
  failed: Set<string>
  /** Rooms in which an answer was late. */
  late: Set<string>
}

export function harmOf(operations: readonly Operation[], findings: readonly Finding[]): Harm {
  const harm: Harm = { failed: new Set(), late: new Set() }
  const sentAt = new Map<string, number>()
  for (const operation of operations) {
    if (!('attempt' in operation)) continue
    const { kind, at, channel, message, attempt } = operation
    const key = `${message} ${attempt}`
    if (kind === 'send') {
      sentAt.set(key, at)
      continue
    }
    if (kind !== 'acknowledged') harm.failed.add(channel)
    if (at - sentAt.get(key)! > promptMs) harm.late.add(channel)
  }
  for (const { operations } of findings)
    for (const operation of operations) if ('channel' in operation) harm.failed.add(operation.channel)
  return harm
}
