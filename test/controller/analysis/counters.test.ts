/**
 * Proves when the built-in counters condemn a canary and when not: what is too little to matter, what is the stable
 * version's too, and what the canary does with nobody beside it.
 */
import t from 'tap'
import { countersDefaults, lookAt, newTrial } from '../../../controller/analysis/counters.ts'
import type { Compared } from '../../../controller/analysis/counters.ts'
import type { Measurement } from '../../../controller/analysis/run.ts'
import type { CountersProvider } from '../../../controller/analysis/template.ts'
import { noTotals } from '../../../controller/analysis/version-totals.ts'
import type { Totals } from '../../../controller/analysis/version-totals.ts'
import { timeBucket, timeBuckets } from '../../../protocol/records/counters.ts'
import type { MethodCounters } from '../../../protocol/records/counters.ts'

const none: MethodCounters = { commands: 0, errors: 0, refused: 0, silent: 0, several: 0 }

function did(publish: Partial<MethodCounters>, more: Partial<Totals> = {}): Totals {
  const method = { ...none, ...publish }
  return { ...noTotals, commands: method.commands, methods: new Map([['publish', method]]), ...more }
}

/** What a metric says at last of versions that were, in turn, as far as this. */
function judge(spec: CountersProvider, first: Compared, ...later: Compared[]): Measurement {
  const looks = later.reduce(({ trial }, now) => lookAt(trial, now, spec), lookAt(newTrial(first), first, spec))
  return looks.measurement
}

const begin: Compared = { stable: did({}), canary: did({}) }
const counts = (canary: Partial<MethodCounters>, stable: Partial<MethodCounters>): Compared => ({
  stable: did({ commands: 9_000, ...stable }),
  canary: did({ commands: 1_000, ...canary }),
})

void t.test('errors that the stable version does not have condemn a canary', async (t) => {
  t.equal(judge({ judge: 'errors' }, begin, counts({ errors: 50 }, {})).phase, 'Failed')
  t.equal(judge({ judge: 'errors' }, begin, counts({ errors: 50 }, { errors: 450 })).phase, 'Successful')
  t.equal(judge({ judge: 'errors' }, begin, counts({}, { errors: 450 })).phase, 'Successful')
})

void t.test('a rate that is higher by less than matters does not, however sure it is', async (t) => {
  const slightly = counts({ commands: 1e6, errors: 1_000 }, { commands: 1e6, errors: 10 })
  t.equal(judge({ judge: 'errors' }, begin, slightly).phase, 'Successful')
  t.equal(judge({ judge: 'errors', minIncrease: 0.0005 }, begin, slightly).phase, 'Failed')
})

void t.test('refusals are mostly their clients’ doing: they need to be many', async (t) => {
  t.equal(judge({ judge: 'refusals' }, begin, counts({ refused: 10 }, {})).phase, 'Successful')
  t.equal(judge({ judge: 'refusals' }, begin, counts({ refused: 200 }, {})).phase, 'Failed')
})

void t.test('effects are to be the same: neither fewer messages than commands, nor more', async (t) => {
  t.equal(judge({ judge: 'effects' }, begin, counts({ silent: 20 }, {})).phase, 'Failed')
  t.equal(judge({ judge: 'effects' }, begin, counts({ several: 20 }, {})).phase, 'Failed')
  t.equal(judge({ judge: 'effects' }, begin, counts({}, { silent: 9_000 })).phase, 'Failed', 'one that now speaks')
  t.equal(judge({ judge: 'effects' }, begin, counts({ silent: 1_000 }, { silent: 9_000 })).phase, 'Successful')
})

void t.test('what differs between methods is compared method by method', async (t) => {
  const mixed = (publishes: number, pings: number): Totals => ({
    ...noTotals,
    commands: publishes + pings,
    methods: new Map([
      ['publish', { ...none, commands: publishes }],
      ['ping', { ...none, commands: pings, silent: pings }],
    ]),
  })
  const now = { stable: mixed(5_000, 100), canary: mixed(100, 400) }
  t.equal(judge({ judge: 'effects' }, begin, now).phase, 'Successful', 'another mix of them is no fault')
})

void t.test('a canary with nobody beside it is compared with what the stable version did before', async (t) => {
  const before = { stable: did({ commands: 5_000, errors: 5 }), canary: did({}) }
  const alone = (errors: number) => ({ ...before, canary: did({ commands: 1_000, errors }) })
  t.equal(judge({ judge: 'errors' }, before, alone(2)).phase, 'Successful')
  t.equal(judge({ judge: 'errors' }, before, alone(50)).phase, 'Failed')
})

const times = (ms: number, batches: number): number[] =>
  Array.from({ length: timeBuckets.length + 1 }, (_, bucket) => (bucket === timeBucket(ms) ? batches : 0))
const taking = (
  which: 'handle' | 'batch',
  stableMs: number,
  canaryMs: number,
  looks: number,
): [Compared, ...Compared[]] => [
  begin,
  ...Array.from({ length: looks }, (_, look) => ({
    stable: did({}, { [which]: times(stableMs, 45 * (look + 1)) }),
    canary: did({}, { [which]: times(canaryMs, 5 * (look + 1)) }),
  })),
]

void t.test('a canary that takes longer is condemned when that is felt', async (t) => {
  const phase = (...of: Parameters<typeof taking>) => judge({ judge: 'latency' }, ...taking(...of)).phase
  t.equal(phase('handle', 4, 8, 20), 'Failed')
  t.equal(phase('batch', 4, 16, 20), 'Failed')
  t.equal(phase('batch', 4, 8, 20), 'Successful', 'which comes of another load, too')
  t.equal(phase('handle', 4, 5, 20), 'Successful')
  t.equal(phase('handle', 8, 4, 20), 'Successful')
  t.equal(phase('handle', 0.1, 1, 20), 'Successful', 'what is below the floor is not slow')
  t.equal(judge({ judge: 'latency', ratio: 3 }, ...taking('handle', 4, 8, 20)).phase, 'Successful')
  t.equal(judge({ judge: 'latency', floorMs: 0.2 }, ...taking('handle', 0.1, 1, 20)).phase, 'Failed')
})

void t.test('violations condemn at once; crashes when they are more than a machine’s bad day', async (t) => {
  const now = (canary: Partial<Totals>, stable: Partial<Totals> = {}): Compared => ({
    stable: did({}, stable),
    canary: did({}, canary),
  })
  t.equal(judge({ judge: 'violations' }, begin, now({ violations: 1 })).phase, 'Failed')
  t.equal(judge({ judge: 'violations', max: 1 }, begin, now({ violations: 1 })).phase, 'Successful')
  t.equal(judge({ judge: 'crashes' }, begin, now({ crashes: 1 })).phase, 'Successful')
  t.equal(judge({ judge: 'crashes' }, begin, now({ crashes: 2 })).phase, 'Failed')
  t.equal(judge({ judge: 'crashes' }, begin, now({ crashes: 2 }, { crashes: 1 })).phase, 'Successful')
})

void t.test('what happened before the trial is not held against the canary', async (t) => {
  const before = counts({ errors: 900 }, {})
  const later = { stable: before.stable, canary: did({ commands: 2_000, errors: 900 }) }
  t.equal(judge({ judge: 'errors' }, before, later).phase, 'Successful')
})

void t.test('with fewer commands than a metric wants there is no data', async (t) => {
  t.match(judge({ judge: 'errors', minCommands: 1_001 }, begin, counts({}, {})), { phase: 'Inconclusive' })
  t.match(judge({ judge: 'errors', minCommands: 1_000 }, begin, counts({}, {})), { phase: 'Successful' })
  t.match(judge({ judge: 'errors' }, begin, begin), { phase: 'Successful' }, 'an idle cluster may be deployed to')
  t.equal(countersDefaults.minCommands, 0)
})
