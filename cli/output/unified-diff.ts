/** Lines around a change. */
const contextLines = 3

interface Line {
  sign: ' ' | '-' | '+'
  text: string
}

/** What turns some lines into others, as `diff -u` prints it; empty when they are the same. */
export function unifiedDiff(before: readonly string[], after: readonly string[], from: string, to: string): string {
  const lines = compared(before, after)
  if (lines.every(({ sign }) => sign === ' ')) return ''
  return [`--- ${from}`, `+++ ${to}`, ...hunks(lines), ''].join('\n')
}

function hunks(lines: readonly Line[]): string[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - contextLines), at + contextLines + 1).some(({ sign }) => sign !== ' '),
  )
  const result: string[] = []
  for (let start = near.indexOf(true); start !== -1; start = near.indexOf(true, start)) {
    const gap = near.indexOf(false, start)
    const end = gap === -1 ? lines.length : gap
    const hunk = lines.slice(start, end)
    const place = (sign: '-' | '+') => {
      const ahead = countOf(lines.slice(0, start), sign)
      const count = countOf(hunk, sign)
      return `${sign}${count === 0 ? ahead : ahead + 1},${count}`
    }
    result.push(`@@ ${place('-')} ${place('+')} @@`, ...hunk.map(({ sign, text }) => sign + text))
    start = end
  }
  return result
}

/** Lines of one side: what is the same counts for both. */
function countOf(lines: readonly Line[], side: '-' | '+'): number {
  return lines.filter(({ sign }) => sign === ' ' || sign === side).length
}

/** By the longest common subsequence of what is between the same beginning and the same end. */
function compared(before: readonly string[], after: readonly string[]): Line[] {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head += 1
  let tail = 0
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: ' ', text }))
  const [old, next] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)]
  return [...same(before.slice(0, head)), ...changed(old, next), ...same(before.slice(before.length - tail))]
}

function changed(before: readonly string[], after: readonly string[]): Line[] {
  // common[i][j]: how many lines before[i..] and after[j..] have in common.
  const common = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1))
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i]![j] =
        before[i] === after[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
    }
  }
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ sign: ' ', text: before[i]! })
      i += 1
      j += 1
    } else if (i < before.length && (j === after.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lines.push({ sign: '-', text: before[i++]! })
    } else lines.push({ sign: '+', text: after[j++]! })
  }
  return lines
}
