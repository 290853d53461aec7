/**
 * Proves that docs/errors.md and docs/protocol.md have every error class and code of the source, and nothing else, and
 * that no class and no exit code is made elsewhere.
 */
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import t from 'tap'
import { exitCodes, signalExitCode } from '../../platform/exit-codes.ts'
import { disconnects, errors, unsubscribes } from '../../protocol/client/codes.ts'

const root = new URL('../../', import.meta.url)
const folders =
  'apps,cli,cluster,compose,config,controller,engine,log,observability,platform,protocol,proxy,schema,store,worker'
const files = globSync(`{${folders}}/**/*.ts`, { cwd: root }).sort()
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** The cells of the rows of all tables in a part of a page; the head of a table is left out. */
function rows(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'))
  return lines
    .filter((line, at) => !line.startsWith('| ---') && !lines[at + 1]?.startsWith('| ---'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('`', ''))
        .slice(1, -1),
    )
}

/** What stands under a heading, up to the next one of the same level. */
function section(markdown: string, heading: string): string {
  const [, text = ''] = markdown.split(`\n${heading}\n`)
  return text.split(`\n${heading.split(' ')[0]} `)[0]!
}

/** Classes of an `errors.ts`, as `Class`, or `Class code` where it has codes. */
async function errorsOf(file: string): Promise<string[]> {
  const exported = Object.values((await import(new URL(file, root).href)) as Record<string, unknown>)
  const classes = exported.filter(
    (each): each is { name: string; prototype: unknown } =>
      typeof each === 'function' && each.prototype instanceof Error,
  )
  const codes = exported
    .filter((each) => typeof each === 'object' && each !== null)
    .flatMap((each) => (Array.isArray(each) ? (each as string[]) : Object.keys(each)))
  const names = classes.map(({ name }) => name)
  if (codes.length === 0) return names
  return [...new Set(codes)].map((code) => `${names.join(', ')} ${code}`)
}

void t.test('docs/errors.md has every class and code of every errors.ts, and nothing else', async (t) => {
  const page = read('docs/errors.md')
  const tables = files.filter((file) => basename(file) === 'errors.ts')
  const documented = [...page.matchAll(/^## `(.*)`$/gm)].map((match) => match[1]!)
  const thrown: string[] = []
  for (const file of tables) {
    const folder = dirname(file)
    const inSource = await errorsOf(file)
    // What maps errors of others to those of a seam makes none of its own.
    if (inSource.length === 0) continue
    thrown.push(folder)
    const inPage = rows(section(page, `## \`${folder}\``).split('\n### ')[0]!).map(([name, code]) => `${name} ${code}`)
    t.strictSame(inPage.map((row) => row.trim()).sort(), inSource.sort(), folder)
  }
  t.strictSame(documented.sort(), thrown.sort())
})

void t.test(
  'docs/errors.md says of every error what it means, and of every code whether the outcome is known',
  async (t) => {
    for (const [name, code, meaning, outcome] of rows(read('docs/errors.md').split('\n## `config`')[1]!)) {
      t.not(meaning, '', `${name} ${code}`)
      if (code !== '') t.not(outcome, '', `${name} ${code}`)
    }
  },
)

void t.test('docs/errors.md has every exit code', async (t) => {
  const inPage = rows(section(read('docs/errors.md'), '### Exit codes').split('\n## ')[0]!)
  t.strictSame(
    inPage.map(([code, name]) => [name, Number(code)]),
    [...Object.entries(exitCodes), ...Object.entries(signalExitCode)],
  )
})

void t.test('docs/protocol.md has every code that clients get', async (t) => {
  const page = read('docs/protocol.md')
  const codesOf = (heading: string): number[] => rows(section(page, heading)).map(([code]) => Number(code))
  const codes = (table: Record<string, { code: number }>): number[] => Object.values(table).map(({ code }) => code)
  /** Of WebSocket itself. */
  const ofWebSocket = [1008, 1009]
  t.strictSame(codesOf('## Errors'), codes(errors))
  t.strictSame(codesOf('## Unsubscribes (pushed)'), codes(unsubscribes))
  t.strictSame(codesOf('## Closes'), [...ofWebSocket, ...codes(disconnects)])
})

void t.test('error classes are declared in a file errors.ts and nowhere else', async (t) => {
  const elsewhere = files.filter(
    (file) => basename(file) !== 'errors.ts' && /\bclass \w* ?extends \w*(Error|Failure)\b/.test(read(file)),
  )
  t.strictSame(elsewhere, [])
})

void t.test('a process ends with a named code', async (t) => {
  const bare = files.filter((file) => /\bexit\(\d|\bexitCode = \d/.test(read(file)))
  t.strictSame(bare, [])
})
