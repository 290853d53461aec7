/** Every transition of a rollout, by example. */
import { test } from 'tap'
import { refusal } from '../../../controller/rollouts/refusal.ts'
import type { Webhook } from '../../../controller/rollouts/spec.ts'
import { adopted } from '../../../controller/rollouts/state.ts'
import { crashesMax, longPausesMax } from '../../../controller/rollouts/step.ts'
import { World, analysis, pause, usualSpec, weight } from './world.ts'

const hook = (type: Webhook['type']): Webhook => ({
  name: type,
  type,
  url: 'http://127.0.0.1/',
  timeoutMs: 1_000,
  retries: 0,
  metadata: {},
})
const background = { templates: ['delivery'], args: [], startingStep: 0 }

test('steps are taken in order, and the last one makes the canary serve', (t) => {
  const world = new World().look()
  t.equal(world.summary, 'waiting Progressing RolloutProgressing 0 0%')
  const seen: string[] = []
  for (let looks = 0; looks < 12; looks++) {
    world.look()
    if (seen.at(-1) !== world.summary) seen.push(world.summary)
  }
  t.same(seen, [
    'stepping Progressing RolloutProgressing 0 10%',
    'stepping Progressing RolloutProgressing 1 50%',
    'promoting Progressing RolloutProgressing 2 100%',
    'settled Healthy RolloutHealthy 2 100%',
  ])
  t.equal(world.serving, 'v2')
  t.match(world.state, { stable: 'v2', canary: 'v2', revision: 2, endedAt: Number })
  t.same(
    world.state.history.map(({ revision, version }) => [revision, version]),
    [
      [1, 'v1'],
      [2, 'v2'],
    ],
  )
  t.end()
})

test('a resource that asks for what serves changes nothing, and so does one that is applied again', (t) => {
  const world = new World({ canary: 'v1' }).look()
  t.equal(world.summary, 'settled Healthy RolloutHealthy 0 100%')
  const before = world.state
  t.same(world.look().state, before)
  world.spec = { ...world.spec, canary: 'v2' }
  world.settle()
  const after = world.state
  t.same(world.look().state, after)
  t.end()
})

test('a canary without workers gets nothing, and is aborted at its deadline', (t) => {
  const world = new World({ progressDeadlineMs: 5_000 })
  world.workers.delete('v2')
  world.look().look(4_000)
  t.equal(world.summary, 'waiting Progressing WaitingForWorkers 0 0%')
  world.look(1_000).settle()
  t.equal(world.summary, 'aborted Degraded ProgressDeadlineExceeded 0 0%')
  t.same(world.slots.get('v1'), 16)
  t.end()
})

test('what is late says what is known of why', (t) => {
  const world = new World({ progressDeadlineMs: 5_000 })
  world.workers.delete('v2')
  world.look()
  t.equal(world.state.message, 'waits for a worker of v2')
  Object.assign(world, { crashes: 1, lastCrash: 'because it could not start: no app' })
  world.look()
  t.equal(world.state.message, 'waits for a worker of v2; a worker of v2 ended because it could not start: no app')
  world.look(5_000)
  t.equal(
    world.state.abort!.message,
    'nothing came nearer for 5 s: no worker of v2 is up; a worker of v2 ended because it could not start: no app',
  )
  t.end()
})

test('a pause has all its time, unless the canary has no worker any more', (t) => {
  const world = new World({ steps: [pause(60_000)], progressDeadlineMs: 5_000 })
  for (let looks = 0; looks < 4; looks++) world.look()
  world.look(30_000)
  world.workers.delete('v2')
  world.look(100).look(4_000)
  t.equal(world.summary, 'stepping Progressing WaitingForWorkers 0 0%', 'it is waited for from when it went')
  world.workers.set('v2', ['c'])
  world.look(100).look(10_000)
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 0 0%')
  world.workers.delete('v2')
  world.look(100).look(5_000)
  t.equal(world.state.reason, 'ProgressDeadlineExceeded')
  t.end()
})

test('without progressDeadlineAbort a late rollout is Degraded and goes on when it can', (t) => {
  const world = new World({ progressDeadlineMs: 5_000, deadlineAborts: false })
  world.workers.delete('v2')
  world.look().look(5_000)
  t.equal(world.summary, 'waiting Degraded ProgressDeadlineExceeded 0 0%')
  world.workers.set('v2', ['c'])
  t.equal(world.settle().summary, 'settled Healthy RolloutHealthy 2 100%')
  t.end()
})

test('slots that do not move are waited for until the deadline', (t) => {
  const world = new World({ progressDeadlineMs: 5_000 })
  world.look().look()
  world.isPlacing = false
  world.settledAt = null
  world.look(4_000)
  t.equal(world.state.mode, 'stepping')
  world.look(5_000)
  t.equal(world.state.reason, 'ProgressDeadlineExceeded')
  t.end()
})

test('a timed pause takes its time and a manual one a person', (t) => {
  const world = new World({ steps: [weight(10), pause(60_000), pause(), weight(50)] })
  for (let looks = 0; looks < 4; looks++) world.look()
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 1 10%')
  world.look(59_000)
  t.equal(world.state.step, 1)
  world.look(1_000)
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 2 10%')
  world.look(10 * 3_600_000)
  t.equal(world.state.step, 2, 'no deadline ends a pause')
  world.order({ type: 'promote', full: false }).settle()
  t.equal(world.summary, 'settled Healthy RolloutHealthy 4 100%')
  t.end()
})

test('resume is for what is paused', (t) => {
  const world = new World({ steps: [weight(10), pause()] }).look()
  t.match(world.refusalOf({ type: 'resume' }), /not paused/)
  world.settle().order({ type: 'resume' })
  t.equal(world.settle().state.mode, 'settled')
  t.end()
})

test('a person pauses: the weight stays, and the time in it counts for nothing', (t) => {
  const world = new World({ steps: [weight(10), pause(60_000)], progressDeadlineMs: 5_000 })
  for (let looks = 0; looks < 4; looks++) world.look()
  world.look(30_000).order({ type: 'pause' })
  t.equal(world.look(100_000).summary, 'stepping Paused RolloutPaused 1 10%')
  t.match(world.refusalOf({ type: 'pause' }), /already/)
  world.order({ type: 'promote', full: false })
  t.equal(world.look(20_000).state.step, 1)
  t.equal(world.look(10_000).state.mode, 'promoting')
  t.end()
})

test('a resource that says paused holds its rollout, and a promotion takes that back', (t) => {
  const world = new World({ isPaused: true }).settle()
  t.equal(world.summary, 'waiting Paused RolloutPaused 0 0%')
  world.order({ type: 'promote', full: false })
  t.equal(world.spec.isPaused, false)
  t.equal(world.settle().state.mode, 'settled')
  t.end()
})

test('promote passes over the present step, in full over all that is left', (t) => {
  const world = new World({
    steps: [weight(10), pause(), analysis(), weight(50)],
    webhooks: [hook('confirm-promotion')],
  })
  world.settle().order({ type: 'promote', full: false }).look()
  t.equal(world.state.step, 2)
  world.order({ type: 'promote', full: true }).settle()
  t.equal(world.summary, 'settled Healthy RolloutHealthy 4 100%')
  t.match(world.refusalOf({ type: 'promote', full: true }), /nothing is to be promoted/)
  t.end()
})

test('even a promotion in full waits for the canary’s workers', (t) => {
  const world = new World()
  world.workers.delete('v2')
  world.look().order({ type: 'promote', full: true }).settle()
  t.equal(world.summary, 'waiting Progressing WaitingForWorkers 0 0%')
  t.equal(world.slots.get('v1'), 16)
  t.end()
})

test('abort gives every slot back, and retry begins again at the first step', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle().order({ type: 'abort' }).settle()
  t.equal(world.summary, 'aborted Degraded RolloutAborted 1 0%')
  t.equal(world.slots.get('v1'), 16)
  t.match(world.state.message, /aborted by ada/)
  world.order({ type: 'retry' }).settle()
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 1 50%')
  t.match(world.state, { revision: 2, attempt: 2 })
  t.end()
})

test('abort never goes to a version without workers: slots stay, loudly, until it has one', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle()
  world.workers.delete('v1')
  world.order({ type: 'abort' }).settle()
  t.equal(world.summary, 'aborted Degraded StableUnavailable 1 50%')
  t.match(world.state.message, /no worker of v1 is alive/)
  world.workers.set('v1', ['a'])
  t.equal(world.settle().summary, 'aborted Degraded RolloutAborted 1 0%')
  t.end()
})

test('an abort that placement outran makes the stable version serve again', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle()
  world.serving = 'v2'
  world.order({ type: 'abort' }).settle()
  t.equal(world.serving, 'v1')
  t.ok(world.state.endedAt)
  t.end()
})

test('abort after all slots have moved, and before it is promoted, goes back', (t) => {
  const world = new World({ steps: [weight(100)], webhooks: [hook('confirm-promotion')] }).settle()
  t.equal(world.summary, 'promoting Paused WaitingForGate 1 100%')
  world.order({ type: 'abort' }).settle()
  t.equal(world.slots.get('v1'), 16)
  t.equal(world.serving, 'v1')
  t.end()
})

test('undo in the middle goes back to the stable version and is Healthy there', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle()
  world.order({ type: 'undo', toRevision: null }).look()
  t.equal(world.state.phase, 'Progressing')
  t.equal(world.settle().summary, 'settled Healthy RolloutHealthy 1 100%')
  t.match(world.state, { stable: 'v1', canary: 'v1' })
  t.equal(world.spec.canary, 'v1')
  t.end()
})

test('undo after an abort takes the canary out of the resource too', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle().order({ type: 'abort' }).settle()
  world.order({ type: 'undo', toRevision: 1 }).settle()
  t.match(world.state, { phase: 'Healthy', stable: 'v1', canary: 'v1' })
  t.end()
})

test('undo after completion takes the steps back to the version before', (t) => {
  const world = new World({ steps: [weight(50), pause()], stable: 'v1' }).settle()
  world.order({ type: 'promote', full: false }).settle().order({ type: 'undo', toRevision: null }).settle()
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 1 50%')
  t.match(world.state, { stable: 'v2', canary: 'v1', revision: 3 })
  t.match(world.refusalOf({ type: 'undo', toRevision: 7 }), /no revision 7/)
  t.end()
})

test('a version of the rollback window is gone back to without steps', (t) => {
  const world = new World({ steps: [weight(50), pause()], rollbackWindow: 1 }).settle()
  world.order({ type: 'promote', full: false }).settle().order({ type: 'undo', toRevision: null }).settle()
  t.match(world.state, { mode: 'settled', stable: 'v1', revision: 3 })
  t.equal(world.serving, 'v1')
  t.match(world.refusalOf({ type: 'undo', toRevision: 3 }), /serves already/)
  t.end()
})

test('a third version in the middle is refused with what to do, and changes nothing', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle()
  t.match(refusal(world.state, 'v3'), /rollout abort chat.*promote --full chat/)
  t.equal(refusal(world.state, 'v1'), null)
  world.spec = { ...world.spec, canary: 'v3' }
  world.settle()
  t.match(world.state, { canary: 'v2', weight: 50, message: /v3, has to wait/ })
  world.order({ type: 'abort' }).settle()
  t.equal(world.state.canary, 'v3', 'and takes its turn once the other one has ended')
  t.end()
})

test('other steps in the middle begin at the first', (t) => {
  const world = new World({ steps: [weight(50), pause()] }).settle()
  world.spec = { ...world.spec, steps: [weight(20), pause()] }
  world.settle()
  t.equal(world.summary, 'stepping Paused CanaryPauseStep 1 20%')
  t.end()
})

test('an analysis in the steps decides: good goes on, bad aborts, none of both waits for a person', (t) => {
  const at = () => new World({ steps: [weight(10), analysis(), weight(50), pause()] }).settle()
  t.equal(at().summary, 'stepping Progressing RolloutProgressing 1 10%')
  t.equal(at().says('step', 'Successful').settle().state.weight, 50)
  t.equal(at().says('step', 'Failed').settle().summary, 'aborted Degraded AnalysisRunFailed 1 0%')
  t.equal(at().says('step', 'Error').settle().state.reason, 'AnalysisRunFailed')
  const unclear = at().says('step', 'Inconclusive').settle()
  t.equal(unclear.summary, 'stepping Paused InconclusiveAnalysisRun 1 10%')
  t.equal(unclear.order({ type: 'promote', full: false }).settle().state.weight, 50)
  t.end()
})

test('an analysis beside the steps aborts when it fails, and holds when it is inconclusive', (t) => {
  const at = () => new World({ steps: [weight(10), pause(), weight(50)], background }).settle()
  t.equal(at().says('background', 'Failed').settle().state.reason, 'AnalysisRunFailed')
  const unclear = at().says('background', 'Inconclusive').settle()
  t.equal(unclear.state.reason, 'InconclusiveAnalysisRun')
  unclear.order({ type: 'promote', full: false }).settle()
  t.equal(unclear.state.reason, 'CanaryPauseStep', 'another run begins, and the step is where it was')
  t.equal(unclear.state.backgroundRun, 2)
  t.end()
})

test('what no analysis has seen to be good is not promoted', (t) => {
  const world = new World({ steps: [weight(100)], background }).settle()
  t.equal(world.state.mode, 'promoting')
  world
    .says('background', 'Running')
    .settle()
    .look(10 * 3_600_000)
  t.equal(world.state.mode, 'promoting')
  t.equal(world.serving, 'v1')
  t.equal(world.says('background', 'Running', true).settle().state.mode, 'settled')
  t.end()
})

test('an analysis that never begins does not hold a rollout for ever', (t) => {
  const world = new World({ steps: [weight(100)], background }).settle().look(600_000).look()
  t.equal(world.state.reason, 'ProgressDeadlineExceeded')
  t.end()
})

test('without steps everything moves at once, and serves when it was seen to be good', (t) => {
  const world = new World({ steps: [], background }).settle()
  t.equal(world.summary, 'promoting Progressing RolloutProgressing 0 100%')
  t.equal(world.serving, 'v1')
  t.equal(world.says('background', 'Successful').settle().serving, 'v2')
  t.end()
})

test('a canary that crashes again and again is aborted', (t) => {
  const world = new World({ steps: [weight(10), pause()] }).settle()
  world.crashes = crashesMax - 1
  t.equal(world.look().state.mode, 'stepping')
  Object.assign(world, { crashes: 1, lastCrash: 'without a word' })
  t.equal(world.look().settle().state.reason, 'CanaryCrashed')
  t.equal(world.state.message, '3 workers of v2 ended, the last without a word')
  t.end()
})

test('slots that stand still for too long, too often, hold the rollout', (t) => {
  const world = new World({ steps: [weight(10), pause()] }).settle()
  world.longPauses = longPausesMax
  t.equal(world.look().state.reason, 'MaxPauseExceeded')
  world.order({ type: 'promote', full: false })
  t.equal(world.look().state.reason, 'CanaryPauseStep')
  t.end()
})

test('gates are asked in their order: before the first step, an increase, the next step and the promotion', (t) => {
  const types = ['confirm-rollout', 'pre-rollout', 'confirm-traffic-increase', 'rollout', 'confirm-promotion'] as const
  const world = new World({ steps: [weight(10)], webhooks: types.map(hook) })
  for (const type of types) {
    world.settle()
    t.equal(world.state.gate, type)
    t.equal(world.state.phase, type.startsWith('confirm') ? 'Paused' : 'Progressing')
    world.answers(type, false).settle()
    t.equal(world.state.gate, type, 'no is: not yet')
    world.answers(type, true)
  }
  t.equal(world.settle().state.mode, 'settled')
  t.end()
})

test('only a gate that a person opens has all the time there is', (t) => {
  const patient = new World({ webhooks: [hook('confirm-rollout')] }).settle().look(600_000)
  t.equal(patient.state.phase, 'Paused')
  const late = new World({ webhooks: [hook('pre-rollout')] }).settle().look(600_000)
  t.equal(late.state.reason, 'ProgressDeadlineExceeded')
  t.end()
})

test('a rollback webhook aborts', (t) => {
  const world = new World({ steps: [weight(10), pause()] }).settle()
  world.isRollbackWanted = true
  t.equal(world.settle().state.reason, 'RollbackRequested')
  t.end()
})

test('another serving version than the rollout knows is taken note of, and retry goes on from there', (t) => {
  const world = new World().settle()
  world.workers.set('v1', ['a'])
  world.serving = 'v1'
  world.isPlacing = false
  t.equal(world.look().summary, 'replaced Degraded ServingVersionReplaced 2 0%')
  world.isPlacing = true
  t.equal(world.settle().slots.get('v1'), 16, 'what took over keeps all slots, though workers of v2 live again')
  world.order({ type: 'retry' }).settle()
  t.match(world.state, { mode: 'settled', stable: 'v2' })
  t.end()
})

test('a stableService that does not serve makes the resource invalid', (t) => {
  const world = new World({ stable: 'v0' }).settle()
  t.equal(world.summary, 'invalid Degraded InvalidSpec 0 100%')
  world.spec = { ...world.spec, stable: 'v1' }
  t.equal(world.settle().state.stable, 'v2')
  t.end()
})

test('workers of the version before are kept for the scale-down delay, counted from when they had no slot', (t) => {
  const world = new World().settle()
  t.match(world.state.retained, [{ version: 'v1', delayMs: usualSpec.scaleDownDelayMs }])
  world.look(usualSpec.scaleDownDelayMs)
  t.same(world.state.retained, [])
  t.end()
})

test('workers are restarted one after the other, and the next one when the first is back', (t) => {
  const world = new World({ canary: 'v1' }).look().order({ type: 'restart' }).look()
  t.same(world.drained, ['a'])
  world.workers.set('v1', ['b'])
  t.same(world.look().drained, ['a'])
  world.workers.set('v1', ['b', 'e'])
  t.same(world.look().drained, ['a', 'b'])
  world.workers.set('v1', ['e', 'f'])
  t.equal(world.look().state.restart, null)
  world.workers.set('v1', ['e'])
  t.match(world.refusalOf({ type: 'restart' }), /start another first/)
  t.end()
})

test('a restart goes on without a worker that does not come back within the deadline, but never with the last', (t) => {
  const world = new World({ canary: 'v1' }).look().order({ type: 'restart' }).look()
  world.workers.set('v1', ['b'])
  t.same(world.look(usualSpec.progressDeadlineMs).drained, ['a'], 'the last is not drained')
  world.workers.set('v1', ['a', 'b', 'c'])
  world.state.restart = { left: ['a', 'b'], current: null, wanted: 4, at: world.now }
  t.same(world.look(usualSpec.progressDeadlineMs - 1).drained, ['a'])
  t.same(world.look(1).drained, ['a', 'a'])
  world.workers.set('v1', ['b', 'c', 'd'])
  t.same(world.look().drained, ['a', 'a', 'b'], 'as many as there were are enough')
  world.workers.set('v1', ['c'])
  t.ok(world.look(usualSpec.progressDeadlineMs - 1).state.restart)
  t.equal(world.look(1).state.restart, null, 'it is over although one of three came back')
  t.end()
})

test('a new leader drains the worker that the one before may not have told so', (t) => {
  const world = new World({ canary: 'v1' }).look().order({ type: 'restart' }).look()
  world.state = adopted(world.state, world.now)
  t.same(world.look().drained, ['a', 'a'])
  world.workers.set('v1', ['b'])
  world.state = adopted(world.state, world.now)
  t.same(world.look().drained, ['a', 'a'])
  world.workers.set('v1', ['b', 'e'])
  t.same(world.look().drained, ['a', 'a', 'b'])
  t.end()
})

test('a new leader takes no time passed for less than none', (t) => {
  const world = new World({ steps: [weight(10), pause(60_000)] }).settle()
  const behind = adopted(world.state, world.now - 3_600_000)
  t.ok(behind.stepAt <= world.now - 3_600_000)
  world.state = behind
  world.now -= 3_600_000
  t.equal(world.look(59_000).state.step, 1)
  t.equal(world.look(1_000).settle().state.mode, 'settled')
  t.end()
})
