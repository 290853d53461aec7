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

/** Edits that turn a name into a candidate. A name alone is compared with the last part of a path. */
function edits(name: string, candidate: string): number {
  return Math.min(distance(name, candidate), distance(lastPart(name), lastPart(candidate)) + 0.5)
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** The candidate that takes the fewest edits; there must be one. */
export function nearest(name: string, candidates: readonly string[]): string {
  return candidates.reduce((best, each) => (edits(name, each) < edits(name, best) ? each : best))
}

/**
 * The candidate that a name was most likely meant to be: a slip of the hand, or the right name in another place.
 * Undefined when it is like none.
 */
export function slipFrom(name: string, candidates: readonly string[]): string | undefined {
  const { length } = lastPart(name)
  if (length > nameLengthMax) return undefined
  const near = nearest(name, candidates)
  const slips = length < 4 ? 1 : length < 13 ? 2 : 3
  return edits(name, near) <= slips + 0.5 ? near : undefined
}

/** A longer name was never meant to be a key. */
const nameLengthMax = 100
