/** What happened in a run, so that many seeds can be known to have met it: how often, by name. */
export type Counts = Record<string, number>

/** Counts one more of it, or so many. */
export function count(counts: Counts, what: string, more = 1): void {
  counts[what] = (counts[what] ?? 0) + more
}

/** Adds what another run met. */
export function addCounts(counts: Counts, others: Counts): void {
  for (const [what, more] of Object.entries(others)) count(counts, what, more)
}

/** A line for each, by name. */
export function countLines(counts: Counts): string[] {
  return Object.keys(counts)
    .toSorted()
    .map((what) => `  ${what}: ${counts[what]}`)
}
