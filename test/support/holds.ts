/** Properties as assertions. */
import * as fc from 'fast-check'
import type { Test } from 'tap'

/** One assertion for a whole property; when it fails, the message is the smallest counterexample. */
export function holds<Ts>(t: Test, property: fc.IRawProperty<Ts, false>, parameters: fc.Parameters<Ts> = {}): void {
  const details = fc.check(property, parameters)
  t.notOk(
    details.failed,
    details.failed ? String(fc.defaultReportMessage(details)) : `held for ${details.numRuns} cases`,
  )
}
