import type { Operation } from './history.ts'

/** One breach of one rule, with the operations that show it. */
export interface Finding {
  rule: string
  what: string
  operations: Operation[]
}

/** Findings of a rule, named after it. */
export function findingsOf(rule: string): { found: Finding[]; add: (what: string, operations: Operation[]) => void } {
  const found: Finding[] = []
  return { found, add: (what, operations) => found.push({ rule, what, operations }) }
}
