/** A test that did not simply pass: what it is called, and why as far as tap knows. */
export interface Remark {
  name: string
  detail: string
}

/** What one run of tap found, counted in assertions. */
export interface Results {
  passed: number
  failed: Remark[]
  /** Failed because they did not end in time; they are in `failed` too. */
  hung: Remark[]
  skipped: Remark[]
  todo: Remark[]
  /** Files that ran, and of those the ones that asserted nothing. */
  files: number
  empty: string[]
}

/** One file's share, for a line of its own as soon as it has ended. */
export interface FileResult {
  name: string
  passed: number
  failed: number
  ms: number
}

/** An entry of tap's `jsonstream` report, as far as it is used here. */
interface Entry {
  name?: string
  fullname?: string
  level?: number
  ok?: boolean
  time?: number
  skip?: boolean | string
  todo?: boolean | string
  closingTestPoint?: boolean
  diag?: Record<string, unknown>
}

/** Reads tap's `jsonstream` report line by line. */
export class ResultReader {
  readonly results: Results = { passed: 0, failed: [], hung: [], skipped: [], todo: [], files: 0, empty: [] }
  readonly #onFile: (file: FileResult) => void
  readonly #onFailure: (failure: Remark) => void
  /** The file that runs, with the counts at its start. */
  #file: { name: string; passed: number; failed: number; points: number } | null = null

  constructor(onFile: (file: FileResult) => void, onFailure: (failure: Remark) => void) {
    this.#onFile = onFile
    this.#onFailure = onFailure
  }

  /** Returns false for a line that is not part of the report. */
  read(line: string): boolean {
    const event = eventOf(line)
    if (event === null) return false
    const [type, entry] = event
    if (type === 'start' && entry.level === 1) this.#startFile(entry.name ?? '')
    else if (type === 'pass') this.results.passed += 1
    else if (type === 'fail') this.#failAssertion(entry)
    else if (type === 'skip') this.results.skipped.push(remarkOf(entry, reasonOf(entry.skip)))
    else if (type === 'todo') this.results.todo.push(remarkOf(entry, reasonOf(entry.todo)))
    else if (type === 'end') this.#end(entry)
    return true
  }

  #startFile(name: string): void {
    this.#endFile(0)
    const { passed, failed } = this.results
    this.results.files += 1
    this.#file = { name, passed, failed: failed.length, points: this.#points }
  }

  /** Everything that was asserted so far, and everything that was not on purpose. */
  get #points(): number {
    const { passed, failed, skipped, todo } = this.results
    return passed + failed.length + skipped.length + todo.length
  }

  #failAssertion(entry: Entry): void {
    const expired = entry.diag?.['expired']
    if (entry.closingTestPoint !== true || typeof expired !== 'string') return this.#fail(entry)
    // At the top level tap says, perhaps once more, which file timed out.
    const known = this.results.failed.find(({ name }) => name.startsWith(expired))
    if (known === undefined) this.#fail({ ...entry, fullname: expired })
    else if (!this.results.hung.includes(known)) this.results.hung.push(known)
  }

  #fail(entry: Entry): void {
    const failure = remarkOf(entry, detailOf(entry.diag ?? {}))
    this.results.failed.push(failure)
    if (entry.diag?.['expired'] !== undefined) this.results.hung.push(failure)
    this.#onFailure(failure)
  }

  /** A group of tests has ended: level 1 is a file, level 0 all of them. */
  #end(entry: Entry): void {
    const { results } = this
    if (entry.level === 0) {
      this.#endFile(0)
    } else if (entry.level === 1) {
      // It failed as a whole: it ended with another exit code than 0, or by a signal.
      if (entry.ok === false && results.failed.length === this.#file?.failed) this.#fail(entry)
      this.#endFile(entry.time ?? 0)
    } else if (entry.todo !== undefined) {
      results.todo.push(remarkOf(entry, reasonOf(entry.todo)))
    } else if (entry.skip !== undefined) {
      results.skipped.push(remarkOf(entry, reasonOf(entry.skip)))
    }
  }

  #endFile(ms: number): void {
    if (this.#file === null) return
    const { name, passed, failed, points } = this.#file
    if (points === this.#points) this.results.empty.push(name)
    this.#onFile({ name, passed: this.results.passed - passed, failed: this.results.failed.length - failed, ms })
    this.#file = null
  }
}

/** Those of several runs as one. */
export function summed(all: readonly Results[]): Results {
  const list = (key: 'failed' | 'hung' | 'skipped' | 'todo'): Remark[] => all.flatMap((each) => each[key])
  const count = (key: 'passed' | 'files'): number => all.reduce((sum, each) => sum + each[key], 0)
  return {
    passed: count('passed'),
    failed: list('failed'),
    hung: list('hung'),
    skipped: list('skipped'),
    todo: list('todo'),
    files: count('files'),
    empty: all.flatMap(({ empty }) => empty),
  }
}

/** Why a run with these results is not good, a line for each reason; none when it is. */
export function objections(results: Results): string[] {
  const list = (remarks: Remark[], word: string): string[] =>
    remarks.map(({ name, detail }) => `${word}: ${name}${detail === '' ? '' : ` (${detail})`}`)
  return [
    ...results.failed.filter((failure) => !results.hung.includes(failure)).map(({ name }) => `failed: ${name}`),
    ...results.hung.map(({ name }) => `hung, it did not end in time: ${name}`),
    ...list(results.skipped, 'skipped'),
    ...list(results.todo, 'todo'),
    ...results.empty.map((name) => `nothing is asserted in ${name}`),
    ...(results.passed + results.failed.length === 0 ? ['no test ran at all'] : []),
  ]
}

function eventOf(line: string): [string, Entry] | null {
  if (!/^\["(?:start|pass|fail|skip|todo|end)",\{/.test(line)) return null
  return JSON.parse(line) as [string, Entry]
}

/** tap says true where no reason was given. */
function reasonOf(given: boolean | string | undefined): string {
  return typeof given === 'string' ? given : ''
}

function remarkOf(entry: Entry, detail: string): Remark {
  return { name: entry.fullname ?? entry.name ?? '', detail }
}

/** tap's diagnostics without the parts that only repeat the test's source. */
function detailOf(diag: Record<string, unknown>): string {
  const lines = Object.entries(diag).flatMap(([key, value]) => {
    if (key === 'source' || key === 'at') return []
    const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)
    return text.includes('\n') ? [`${key}:`, ...text.split('\n').map((line) => `  ${line}`)] : [`${key}: ${text}`]
  })
  return lines.join('\n')
}
