/** Whatever is ordered, applied and seen, in whichever order: a rollout stays in its diagram, and on its rules. */
import * as fc from 'fast-check'
import { test } from 'tap'
import type { RunOutcome } from '../../../controller/analysis/run.ts'
import { hookTypes } from '../../../controller/resources/rollout.ts'
import type { Command } from '../../../controller/rollouts/commands.ts'
import { runKey } from '../../../controller/rollouts/observation.ts'
import type { RolloutSpec } from '../../../controller/rollouts/spec.ts'
import type { Mode, Phase, RolloutState } from '../../../controller/rollouts/state.ts'
import { World, analysis, pause, weight } from './world.ts'

/** What the diagram has, as one look or one command may go (through several at once). */
const edges: Record<Mode, Mode[]> = {
  settled: ['waiting', 'invalid', 'replaced'],
  waiting: ['stepping', 'promoting', 'aborted', 'returning'],
  stepping: ['promoting', 'aborted', 'returning'],
  promoting: ['settled', 'aborted', 'returning'],
  aborted: ['waiting', 'returning'],
  returning: ['settled'],
  replaced: ['waiting', 'settled'],
  invalid: ['settled', 'waiting'],
}

const looks: Record<Mode, Phase[]> = {
  settled: ['Healthy'],
  waiting: ['Progressing', 'Paused', 'Degraded'],
  stepping: ['Progressing', 'Paused', 'Degraded'],
  promoting: ['Progressing', 'Paused', 'Degraded'],
  returning: ['Progressing', 'Degraded'],
  aborted: ['Degraded'],
  replaced: ['Degraded'],
  invalid: ['Degraded'],
}

function isReachable(from: Mode, to: Mode): boolean {
  const seen = new Set<Mode>([from])
  for (const mode of seen) for (const next of edges[mode]) seen.add(next)
  return seen.has(to)
}

const versions = ['v1', 'v2', 'v3']
const version = fc.constantFrom(...versions)
const order: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: fc.constant('promote' as const), full: fc.boolean() }),
  fc.record({ type: fc.constantFrom('pause', 'resume', 'abort', 'retry', 'restart') }),
  fc.record({
    type: fc.constant('undo' as const),
    toRevision: fc.option(fc.integer({ min: 1, max: 4 })),
  }),
)
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('look' as const), ms: fc.constantFrom(100, 10_000, 700_000) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('order' as const), order }) },
  fc.record({
    kind: fc.constant('apply' as const),
    version,
    stable: fc.constantFrom(null, ...versions),
    isPaused: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('workers' as const), version, count: fc.integer({ min: 0, max: 2 }) }),
  fc.record({ kind: fc.constant('crash' as const) }),
  fc.record({ kind: fc.constant('rollback' as const), isWanted: fc.boolean() }),
  fc.record({ kind: fc.constant('placing' as const), isPlacing: fc.boolean() }),
  fc.record({ kind: fc.constant('serving' as const), version }),
  fc.record({ kind: fc.constant('gate' as const), type: fc.constantFrom(...hookTypes), isYes: fc.boolean() }),
  fc.record({
    kind: fc.constant('run' as const),
    which: fc.constantFrom('background' as const, 'step' as const),
    phase: fc.constantFrom<RunOutcome['phase'][]>('Running', 'Successful', 'Inconclusive', 'Error', 'Failed'),
    isMeasured: fc.boolean(),
  }),
)
const steps = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 100 }).map(weight), fc.constantFrom(pause(), pause(5_000), analysis())),
  { maxLength: 5 },
)
const spec: fc.Arbitrary<Partial<RolloutSpec>> = fc.record({
  canary: version,
  stable: fc.constantFrom(null, ...versions),
  steps,
  rollbackWindow: fc.integer({ min: 0, max: 2 }),
  deadlineAborts: fc.boolean(),
  background: fc.option(fc.constant({ templates: ['delivery'], args: [], startingStep: 1 }), { nil: null }),
  webhooks: fc.array(
    fc
      .constantFrom(...hookTypes)
      .map((type) => ({ name: type, type, url: '', timeoutMs: 1, retries: 0, metadata: {} })),
    { maxLength: 3 },
  ),
})

type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

function happen(world: World, what: Event): void {
  switch (what.kind) {
    case 'look':
      return void world.look(what.ms)
    case 'order':
      if (world.refusalOf(what.order) === null) world.order(what.order)
      return
    case 'apply':
      world.spec = { ...world.spec, canary: what.version, stable: what.stable, isPaused: what.isPaused }
      return
    case 'workers':
      return void world.workers.set(
        what.version,
        ['x', 'y'].slice(0, what.count).map((id) => `${what.version}-${id}`),
      )
    case 'crash':
      return void world.crashes++
    case 'rollback':
      world.isRollbackWanted = what.isWanted
      return
    case 'placing':
      world.isPlacing = what.isPlacing
      return
    case 'serving':
      world.serving = what.version
      return
    case 'gate':
      return void world.answers(what.type, what.isYes)
    case 'run':
      return void world.says(what.which, what.phase, what.isMeasured)
  }
}

/** What is wrong with going from one state to the next; null when nothing is. */
function wrong(before: RolloutState, world: World): string | null {
  const { state, spec: asked, seen, last } = world
  if (!isReachable(before.mode, state.mode)) return `${before.mode} → ${state.mode}`
  if (state.weight < 0 || state.weight > 100) return `weight ${state.weight}`
  if (!looks[state.mode].includes(state.phase)) return `${state.mode} is ${state.phase}`
  const isSame = before.revision === state.revision && before.attempt === state.attempt
  const lives = (which: string) => (seen.workers.get(which)?.length ?? 0) > 0
  if (isSame && state.mode !== 'settled') {
    if (state.weight < before.weight && !lives(state.stable)) return `back to ${state.stable}, which is dead`
    if (state.weight > before.weight && !lives(state.canary)) return `on to ${state.canary}, which is dead`
  }
  const isPromoted = before.mode === 'promoting' && state.mode === 'settled' && state.stable === before.canary
  const isTold = before.mode === 'promoting' && last !== null && last.serve === before.canary
  if ((isPromoted || isTold) && asked.background !== null && !before.isFull && !state.isFull) {
    const run = seen.runs.get(runKey(state, 'background'))
    if (run?.isMeasured !== true) return 'promoted without data'
    if (run.phase !== 'Running' && run.phase !== 'Successful') return `promoted on ${run.phase}`
  }
  return null
}

test('any order of commands and observations leaves a rollout in a state that its diagram has', (t) => {
  const visited = new Set<Mode>()
  fc.assert(
    fc.property(spec, fc.array(event, { maxLength: 80, size: 'max' }), (asked, events) => {
      const world = new World(asked)
      for (const each of events) {
        const first = world.state
        happen(world, each)
        if (each.kind === 'order' && !isReachable(first.mode, world.state.mode)) throw new Error(first.mode)
        const before = each.kind === 'look' ? first : world.state
        if (each.kind === 'order') world.look(0)
        const what = each.kind === 'order' || each.kind === 'look' ? wrong(before, world) : null
        if (what !== null) throw new Error(what)
        visited.add(world.state.mode)
      }
    }),
    { numRuns: 3_000 },
  )
  t.strictSame([...visited].sort(), Object.keys(edges).sort(), 'the whole diagram was visited')
  t.end()
})
