import type { MethodCounters } from '../../protocol/records/counters.ts'
import type { Measurement } from './run.ts'
import {
  both,
  logEvidence,
  lowered,
  noEvidence,
  raised,
  rateOf,
  since,
  upperBound,
  withBlock,
  withShare,
} from './sequential.ts'
import type { Block, Evidence, Share } from './sequential.ts'
import type { CountersProvider, Judgement } from './template.ts'
import { logTimesEvidence, mean, noTimesEvidence, sumOf, withTimes } from './times.ts'
import type { Times, TimesEvidence } from './times.ts'
import { noMethod, totalsSince } from './version-totals.ts'
import type { Totals } from './version-totals.ts'

/** What both versions have done. */
export interface Compared {
  stable: Totals
  canary: Totals
}

/** A comparison under way: since when, up to where, and what it has shown. Plain data. */
export interface Trial {
  /** As they were when it began. */
  began: Compared
  /** As they were when it was last looked at. */
  seen: Compared
  /** Of shares, by what is counted. */
  evidence: Readonly<Partial<Record<Outcome, Evidence>>>
  /** Of times. */
  handle: TimesEvidence
  batch: TimesEvidence
}

type Outcome = Exclude<keyof MethodCounters, 'commands'>

/** What a metric of the counters provider has without saying so. */
export const countersDefaults: Required<Omit<CountersProvider, 'judge' | 'max' | 'minIncrease'>> &
  Record<'max' | 'minIncrease', Readonly<Partial<Record<Judgement, number>>>> = {
  alpha: 0.005,
  // Clients' own mistakes come in bursts from a few of them, wherever their rooms are.
  minIncrease: { errors: 0.002, refusals: 0.02, effects: 0.0005 },
  ratio: 1.5,
  floorMs: 2,
  // One worker may end for reasons of its machine.
  max: { violations: 0, crashes: 1 },
  minCommands: 0,
}

const factors: Readonly<Record<Outcome, readonly number[]>> = {
  errors: raised,
  refused: raised,
  // A canary that says more than the stable version is as wrong as one that says less.
  silent: [...raised, ...lowered],
  several: raised,
}

/** A trial that begins now. */
export function newTrial(now: Compared): Trial {
  return { began: now, seen: now, evidence: {}, handle: noTimesEvidence, batch: noTimesEvidence }
}

/**
 * Looks at a trial once more: what came since the last look is one more block of evidence. Pure. A failure stays one
 * only as long as the difference of the whole trial is large enough to matter.
 */
export function lookAt(
  trial: Trial,
  now: Compared,
  spec: CountersProvider,
): { trial: Trial; measurement: Measurement } {
  const after = { ...withEvidence(trial, now, spec), seen: now }
  const done = {
    stable: totalsSince(now.stable, trial.began.stable),
    canary: totalsSince(now.canary, trial.began.canary),
  }
  const few = spec.minCommands ?? countersDefaults.minCommands
  if (done.canary.commands < few) {
    const message = `${done.canary.commands} commands of the canary, where ${few} are needed`
    return { trial: after, measurement: { phase: 'Inconclusive', value: null, message } }
  }
  return { trial: after, measurement: judged(after, done, spec) }
}

function withEvidence(trial: Trial, now: Compared, spec: CountersProvider): Trial {
  switch (spec.judge) {
    case 'errors':
      return withOutcomes(trial, now, spec, ['errors'])
    case 'refusals':
      return withOutcomes(trial, now, spec, ['refused'])
    case 'effects':
      return withOutcomes(trial, now, spec, ['silent', 'several'])
    case 'latency': {
      const grown = (which: 'handle' | 'batch') => {
        const times = (from: Compared, to: Compared) => ({
          stable: totalsSince(to.stable, from.stable)[which],
          canary: totalsSince(to.canary, from.canary)[which],
        })
        return withTimes(trial[which], times(trial.seen, now), times(trial.began, trial.seen), slowness(which, spec))
      }
      return { ...trial, handle: grown('handle'), batch: grown('batch') }
    }
    case 'violations':
    case 'crashes':
      return trial
  }
}

/** What counts as slow. How long a commit takes depends on how much there is to do, and versions have different shares of it. */
function slowness(which: 'handle' | 'batch', spec: CountersProvider): { ratio: number; floorMs: number } {
  const { ratio, floorMs } = { ...countersDefaults, ...spec }
  return { ratio: which === 'handle' ? ratio : 2 * ratio, floorMs }
}

function withOutcomes(trial: Trial, now: Compared, spec: CountersProvider, outcomes: Outcome[]): Trial {
  const delta = (spec.alpha ?? countersDefaults.alpha) / 2
  const evidence = { ...trial.evidence }
  for (const outcome of outcomes) {
    let grown = evidence[outcome] ?? noEvidence(factors[outcome])
    // What is usual differs from method to method: each is compared with itself.
    for (const method of methodsOf(now)) {
      const { block, past, before } = blockOf(trial, now, method, outcome)
      // With all slots the canary runs beside nobody: what the stable version did before it is what there is.
      const isAlone = block.stable.n === 0 && before.n > 0
      grown = isAlone
        ? withShare(grown, factors[outcome], block.canary, upperBound(before, delta))
        : withBlock(grown, factors[outcome], block, past)
    }
    evidence[outcome] = grown
  }
  return { ...trial, evidence }
}

function methodsOf({ stable, canary }: Compared): Set<string> {
  return new Set([...stable.methods.keys(), ...canary.methods.keys()])
}

/** What came since the last look, what the trial saw before it, and all that the stable version ever did. */
function blockOf(
  { began, seen }: Trial,
  now: Compared,
  method: string,
  outcome: Outcome,
): { block: Block; past: Share; before: Share } {
  const at = (totals: Totals): Share => {
    const counters = totals.methods.get(method) ?? noMethod
    return { n: counters.commands, k: counters[outcome] }
  }
  return {
    block: {
      stable: since(at(now.stable), at(seen.stable)),
      canary: since(at(now.canary), at(seen.canary)),
    },
    past: both(since(at(seen.stable), at(began.stable)), since(at(seen.canary), at(began.canary))),
    before: at(now.stable),
  }
}

function judged(trial: Trial, done: Compared, spec: CountersProvider): Measurement {
  switch (spec.judge) {
    case 'errors':
      return judgedShares(trial, done, spec, [['errors', 'errors']])
    case 'refusals':
      return judgedShares(trial, done, spec, [['refused', 'refusals']])
    case 'effects':
      return judgedShares(trial, done, spec, [
        ['silent', 'commands done without their message'],
        ['several', 'commands with several messages'],
      ])
    case 'latency':
      return judgedTimes(trial, done, spec)
    case 'violations':
    case 'crashes':
      return judgedCount(done, spec)
  }
}

function judgedShares(trial: Trial, done: Compared, spec: CountersProvider, of: [Outcome, string][]): Measurement {
  const { judge } = spec
  const told: string[] = []
  for (const [outcome, words] of of) {
    const canary = shareOf(done.canary, outcome)
    const stable = shareOf(done.stable.commands > 0 ? done.stable : trial.began.stable, outcome)
    const difference = rateOf(canary) - rateOf(stable)
    // Above a canary's silence may be a stable version's: both directions count where both are bet on.
    const increase = factors[outcome].some((factor) => factor < 1) ? Math.abs(difference) : difference
    const text = `${words}: ${percent(canary)} of the canary's, ${percent(stable)} of the stable version's`
    const isLarge = increase >= (spec.minIncrease ?? countersDefaults.minIncrease[judge] ?? 0)
    if (isLarge && exceeds(logEvidence(trial.evidence[outcome]!), spec)) return failed(text)
    told.push(text)
  }
  return { phase: 'Successful', value: told.join('; '), message: '' }
}

function judgedTimes(trial: Trial, done: Compared, spec: CountersProvider): Measurement {
  const told: string[] = []
  for (const [which, words] of [
    ['handle', 'time in the app'],
    ['batch', 'time until committed'],
  ] as const) {
    const [canary, stable] = [done.canary[which], done.stable[which]]
    const text = `${words}: ${milliseconds(canary)} in the canary, ${milliseconds(stable)} in the stable version`
    const { ratio, floorMs } = slowness(which, spec)
    const isLarge = sumOf(stable) > 0 && mean(canary) >= Math.max(ratio * mean(stable), floorMs)
    if (isLarge && exceeds(logTimesEvidence(trial[which]), spec)) return failed(text)
    told.push(text)
  }
  return { phase: 'Successful', value: told.join('; '), message: '' }
}

function judgedCount({ canary, stable }: Compared, { judge, max }: CountersProvider): Measurement {
  const which = judge === 'crashes' ? 'crashes' : 'violations'
  const most = max ?? countersDefaults.max[which] ?? 0
  const text = `${which}: ${canary[which]} of the canary, ${stable[which]} of the stable version`
  // When the stable version's workers end as well, it is not the canary's doing.
  const allowed = which === 'crashes' ? most + stable.crashes : most
  return canary[which] > allowed ? failed(text) : { phase: 'Successful', value: text, message: '' }
}

function failed(text: string): Measurement {
  return { phase: 'Failed', value: text, message: text }
}

function exceeds(log: number, { alpha = countersDefaults.alpha }: CountersProvider): boolean {
  return log >= -Math.log(alpha)
}

function shareOf({ methods, commands }: Totals, outcome: Outcome): Share {
  let k = 0
  for (const method of methods.values()) k += method[outcome]
  return { n: commands, k }
}

function percent(share: Share): string {
  return `${share.k} of ${share.n} (${(100 * rateOf(share)).toFixed(2)} %)`
}

function milliseconds(times: Times): string {
  return `${mean(times).toFixed(1)} ms on average`
}
