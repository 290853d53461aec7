/** What a process of a cluster is, told from its command line. */
import type { ProcessEntry } from '../../support/process-table.ts'

export type Role = 'engine' | 'proxy' | 'controller' | 'worker'

/** The word after the launcher in a process's command line; null when it is none of ours. */
export function roleOf(entry: ProcessEntry): Role | null {
  const word = /holdfast(?:\.[jt]s)?\s+(engine|proxy|controller|worker)\b/.exec(entry.command)?.[1]
  return (word as Role | undefined) ?? null
}
