import { Environment } from '@marcbachmann/cel-js'
import { AnalysisError } from './errors.ts'

/** What conditions speak of: one number, or those of a vector. */
export type Result = number | number[]

/** Characters of a condition at most. */
export const conditionLengthMax = 1_000

/**
 * The Common Expression Language (cel.dev) over `result`, with what Argo's conditions use beside it: `len`, `isNaN`, and
 * arithmetic between whole and other numbers. It has no loops but over lists, and no way out to the program.
 */
const language = new Environment({ limits: { maxAstNodes: 500, maxDepth: 50 } })
  .registerVariable('result', 'dyn')
  .registerFunction('len(list): int', (list: unknown[]) => BigInt(list.length))
  .registerFunction('isNaN(double): bool', (value: number) => Number.isNaN(value))

for (const [operator, of] of [
  ['+', (a: number, b: number) => a + b],
  ['-', (a: number, b: number) => a - b],
  ['*', (a: number, b: number) => a * b],
  ['/', (a: number, b: number) => a / b],
] as const) {
  language.registerOperator(`double ${operator} int`, (a: number, b: bigint) => of(a, Number(b)))
  language.registerOperator(`int ${operator} double`, (a: bigint, b: number) => of(Number(a), b))
}

/** Whether a result fulfils a condition. Throws AnalysisError `bad_condition` when it cannot be read or says neither. */
export function fulfils(condition: string, result: Result): boolean {
  let answer: unknown
  try {
    answer = parse(condition)({ result })
  } catch (cause) {
    throw new AnalysisError('bad_condition', `${condition}: ${firstLine(cause)}`, { cause })
  }
  if (typeof answer !== 'boolean')
    throw new AnalysisError('bad_condition', `${condition}: it is neither true nor false`)
  return answer
}

/**
 * Why a condition can never be asked, in one line: it cannot be read, speaks of what is not there, or says neither true nor
 * false. Null when it can.
 */
export function conditionProblem(condition: string): string | null {
  const problem = syntaxProblem(condition)
  if (problem !== null) return problem
  const { type, error } = language.check(condition)
  if (error) return firstLine(error)
  return type === 'bool' || type === 'dyn' ? null : `it is neither true nor false but of the type ${type}`
}

/** The same of one whose arguments are not known: whether it can be read at all. */
export function syntaxProblem(condition: string): string | null {
  try {
    parse(condition)
    return null
  } catch (error) {
    return firstLine(error)
  }
}

function parse(condition: string): (context: { result: Result }) => unknown {
  if (condition.length > conditionLengthMax) throw new Error(`longer than ${conditionLengthMax} characters`)
  return language.parse(condition)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
