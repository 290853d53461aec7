import { hash } from 'node:crypto'
import type { FaultKind } from '../../protocol/records/fault.ts'

/** What is drawn for: the rule, what it may do, and which frame, record or request it is. */
export interface Draw {
  seed: number
  fault: string
  kind: FaultKind
  identity: string
}

/**
 * Whether a fault strikes, in so many of a hundred cases: decided by a hash, so that the same seed strikes the same ones
 * whatever else happens, and one rule's draws say nothing of another's.
 */
export function isDrawn({ seed, fault, kind, identity }: Draw, percentage: number): boolean {
  if (percentage >= 100) return true
  const digest = hash('sha1', `${seed}\n${fault}\n${kind}\n${identity}`, 'buffer')
  return (digest.readUInt32BE(0) / 2 ** 32) * 100 < percentage
}
