import { formatDuration, parseDuration } from '../../config/duration.ts'
import type { Fault, FaultMatch } from '../../protocol/records/fault.ts'
import { conform } from '../resources/conform.ts'
import { faultProblem } from '../resources/fault-stages.ts'
import { faultRule } from '../resources/fault.ts'
import type { FaultRule } from '../resources/fault.ts'
import { findingText } from '../resources/finding.ts'
import { FaultError } from './errors.ts'

/** A fault as it is kept: what processes are told, and for how long it is set in all, ms; null for good. */
export interface KeptFault {
  rule: Fault
  lastsMs: number | null
}

/** A fault that somebody wrote, held to its schema and to what its stage can do. Throws FaultError `invalid_fault`. */
export function readFault(name: string, written: unknown): KeptFault {
  const { value, findings } = conform(faultRule, written, { resource: `Fault/${name}`, insteadOf: () => undefined })
  if (findings.length > 0) throw new FaultError('invalid_fault', findings.map(findingText).join('; '))
  return keptFault(name, value as FaultRule)
}

/** The same, of what conforms. */
export function keptFault(name: string, { expiresAfter, ...written }: FaultRule): KeptFault {
  const { stage, match, delay, abort, kill, seed = 0 } = written
  const wrong = faultProblem(written)
  if (wrong !== null) throw new FaultError('invalid_fault', `Fault/${name}: ${wrong}`)
  const rule: Fault = {
    name,
    stage,
    ...(match && { match }),
    ...(delay && { delay: { percentage: delay.percentage.value, fixedDelay: parseDuration(delay.fixedDelay)! } }),
    ...(abort && { abort: { ...abort, percentage: abort.percentage.value } }),
    ...(kill && { kill: { percentage: kill.percentage.value } }),
    seed,
  }
  return { rule, lastsMs: expiresAfter === undefined ? null : parseDuration(expiresAfter)! }
}

/** A fault as people write it, and as it is shown. */
export function writtenFault({
  rule,
  lastsMs,
}: KeptFault): Omit<FaultRule, 'match'> & { name: string; match?: FaultMatch } {
  const { name, stage, match, delay, abort, kill, seed } = rule
  const share = (percentage: number) => ({ percentage: { value: percentage } })
  return {
    name,
    stage,
    ...(match && { match }),
    ...(delay && { delay: { ...share(delay.percentage), fixedDelay: formatDuration(delay.fixedDelay) } }),
    ...(abort && { abort: { ...abort, ...share(abort.percentage) } }),
    ...(kill && { kill: share(kill.percentage) }),
    seed,
    ...(lastsMs !== null && { expiresAfter: formatDuration(lastsMs) }),
  }
}
