/** Why what came is no header. */
export const headerProblems = [
  'missing', // it begins with something else
  'malformed', // it begins as a header does and is none
  'too_long', // longer than any that a balancer sends
] as const

/** A code of a ProxyHeaderError; the label of a metric too. */
export type HeaderProblem = (typeof headerProblems)[number]

/** A connection that does not begin with a header. */
export class ProxyHeaderError extends Error {
  readonly problem: HeaderProblem

  constructor(problem: HeaderProblem) {
    super(`PROXY protocol header ${problem.replaceAll('_', ' ')}`)
    this.name = 'ProxyHeaderError'
    this.problem = problem
  }
}
