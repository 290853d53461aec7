/** Levenshtein's distance: single-character edits that turn one text into the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < to.length; j++) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (from[i] === to[j] ? 0 : 1)))
    }
    row = next
  }
  return row[to.length]!
}

/** The candidate that takes the fewest edits; there must be one. A name alone is compared with the last part of a path. */
export function nearest(name: string, candidates: readonly string[]): string {
  const lastPart = (path: string) => path.slice(path.lastIndexOf('.') + 1)
  const edits = (candidate: string) =>
    Math.min(distance(name, candidate), distance(lastPart(name), lastPart(candidate)) + 0.5)
  return candidates.reduce((best, candidate) => (edits(candidate) < edits(best) ? candidate : best))
}
