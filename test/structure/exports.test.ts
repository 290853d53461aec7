/**
 * Proves that whatever a file exports says what it is for, and that every member of a seam and of the
 * protocol says what it promises: a doc comment stands directly before it.
 */
import { globSync, readFileSync } from 'node:fs'
import t from 'tap'

const root = new URL('../../', import.meta.url)
const folders =
  'apps,cli,cluster,config,controller,engine,log,observability,platform,protocol,proxy,schema,store,worker'
const linesOf = (file: string): string[] => readFileSync(new URL(file, root), 'utf8').split('\n')

/** What others implement or stand in for, and what goes over wires and into the log: every member counts. */
const promises = [
  'cluster/env.ts',
  'log/log.ts',
  'platform/clock.ts',
  'platform/random.ts',
  'protocol/**/*.ts',
  'proxy/transports/transport.ts',
  'store/store.ts',
]

const isDocumented = (lines: string[], at: number): boolean => lines[at - 1]?.trimEnd().endsWith('*/') ?? false

/** Lines of members of exported interfaces. What an inline type holds is part of its member; a tag says what it is. */
function membersOf(lines: string[]): number[] {
  const found: number[] = []
  let isInside = false
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('export interface ')) isInside = true
    else if (line === '}') isInside = false
    else if (isInside && /^ {2}(?:readonly )?\w+\??[:(<]/.test(line) && !/: '[^']*'$/.test(line)) found.push(at)
  }
  return found
}

void t.test('every export says what it is for', async (t) => {
  const silent: string[] = []
  for (const file of globSync(`{${folders}}/**/*.ts`, { cwd: root, exclude: ['**/*.d.ts'] }).sort()) {
    const lines = linesOf(file)
    for (const [at, line] of lines.entries()) {
      const [, name] =
        /^export (?:abstract |async )*(?:function\*?|class|interface|type|const|let) (\w+)/.exec(line) ?? []
      if (name !== undefined && !isDocumented(lines, at)) silent.push(`${file}:${at + 1} ${name}`)
    }
  }
  t.strictSame(silent, [])
})

void t.test('every member of a seam and of the protocol says what it promises', async (t) => {
  const silent: string[] = []
  for (const file of globSync(promises, { cwd: root }).sort()) {
    const lines = linesOf(file)
    for (const at of membersOf(lines)) {
      if (!isDocumented(lines, at)) silent.push(`${file}:${at + 1} ${lines[at]!.trim()}`)
    }
  }
  t.strictSame(silent, [])
})
