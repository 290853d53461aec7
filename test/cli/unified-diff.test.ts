/** What turns one text into another, as `diff -u` prints it. */
import { array, assert, constantFrom, property } from 'fast-check'
import t from 'tap'
import { unifiedDiff } from '../../cli/output/unified-diff.ts'

const ten = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']

void t.test('the same is no difference', async (t) => {
  t.equal(unifiedDiff(ten, ten, 'x', 'y'), '')
  t.equal(unifiedDiff([], [], 'x', 'y'), '')
})

void t.test('changes that are far apart have hunks of their own', async (t) => {
  const after = ['A', ...ten.slice(1, 9), 'J']
  t.equal(
    unifiedDiff(ten, after, 'x', 'y'),
    '--- x\n+++ y\n@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n d\n@@ -7,4 +7,4 @@\n g\n h\n i\n-j\n+J\n',
  )
  t.equal(unifiedDiff([], ['a'], 'x', 'y'), '--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a\n')
})

/** As patch does: what a hunk takes away stands where it says. */
function patched(before: readonly string[], text: string): string[] {
  const result: string[] = []
  let at = 0
  for (const line of text.split('\n').slice(2, -1)) {
    const [, start, count] = /^@@ -(\d+),(\d+) /.exec(line) ?? []
    if (start !== undefined) {
      const next = Number(count) === 0 ? Number(start) : Number(start) - 1
      result.push(...before.slice(at, next))
      at = next
    } else if (line.startsWith('+')) result.push(line.slice(1))
    else {
      if (before[at] !== line.slice(1)) throw new Error(`${line} is not there`)
      if (line.startsWith(' ')) result.push(line.slice(1))
      at += 1
    }
  }
  return [...result, ...before.slice(at)]
}

void t.test('what is different makes of the one what the other is', async () => {
  const lines = array(constantFrom('a', 'b', 'c', 'd'), { maxLength: 25 })
  assert(
    property(lines, lines, (before, after) => {
      const text = unifiedDiff(before, after, 'x', 'y')
      return (text === '' ? before : patched(before, text)).join() === after.join()
    }),
  )
})
