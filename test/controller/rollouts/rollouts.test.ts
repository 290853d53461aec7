/** Rollouts as the leading controller keeps them: in the store, under its term, so that another can take them up. */
import { test } from 'tap'
import type { Test } from 'tap'
import { Measurer } from '../../../controller/analysis/measurer.ts'
import { Events } from '../../../controller/events/events.ts'
import { CurrentResources, resourcesReadMs } from '../../../controller/resources/current.ts'
import type { ClusterView } from '../../../controller/rollouts/cluster-view.ts'
import type { Command } from '../../../controller/rollouts/commands.ts'
import { RolloutError } from '../../../controller/rollouts/errors.ts'
import { Rollouts } from '../../../controller/rollouts/rollouts.ts'
import { slotId } from '../../../protocol/slot.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import type { Lease } from '../../../store/store.ts'
import { testEnv } from '../../harness/env.ts'
import { notingLogger } from '../../support/loggers.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { workerBeat } from '../beats.ts'
import { understood, written } from './written.ts'

const slots = 8
const canary = (more: Record<string, unknown> = {}) => ({
  strategy: { canary: { canaryService: 'v2', analysis: { templates: [] }, ...more } },
})

const specOf = (spec: unknown) => understood('Rollout', 'chat', spec).spec

/** A store, and leaders that follow one another; slots go where the leader's shares say at once. */
class Stage {
  readonly clock = new ManualClock()
  readonly store = memoryStore(new MemoryStoreData(() => this.clock.now()))
  readonly log = notingLogger()
  workers = [workerBeat('a', 'v1'), workerBeat('b', 'v2')]
  term = 0
  rollouts!: Rollouts
  resources!: CurrentResources
  drained: string[] = []
  /** Versions that would get no slots, and why. */
  readonly unfit = new Map<string, string>()
  ofCanary = 0

  async lead(t: Test, candidate = 'c1'): Promise<Rollouts> {
    const env = testEnv({ clock: this.clock, store: this.store, logger: this.log.logger })
    await this.store.migrate()
    const { term } = await this.store.lead(candidate, 0)
    this.term = term
    const resources = new CurrentResources(this.store)
    this.resources = resources
    const rollouts = new Rollouts(env, {
      term: () => term,
      resources,
      groups: [{ name: 'default', slots, namespaces: [''] }],
      drain: (id) => this.drained.push(id),
      news: () => {},
      analyses: new Measurer(env),
      events: new Events('c-1', env.clock),
      refusalOfVersion: (version) => this.unfit.get(version) ?? null,
    })
    t.teardown(() => rollouts.stop())
    this.rollouts = rollouts
    return rollouts
  }

  async apply(spec: unknown): Promise<void> {
    const seen = (await this.store.documents('Rollout'))[0]?.revision ?? 0
    const body = JSON.stringify(written('Rollout', 'chat', spec))
    await this.store.putDocuments({ writes: [{ kind: 'Rollout', name: 'chat', seen, body }], term: null, audit: null })
    this.resources.changed()
  }

  async view(): Promise<ClusterView> {
    const owners = Array.from({ length: slots }, (_, slot) => (slot < this.ofCanary ? 'b' : 'a'))
    const leases = owners.map((owner, slot): Lease => ({ ...lease, slot: slotId('default', slot), owner }))
    const serving = (await this.store.servingVersion()) ?? 'v1'
    return {
      leases,
      workers: this.workers,
      starting: [],
      stuck: new Set(),
      proxies: [],
      serving,
      moving: new Set(),
      weightBy: 'slots',
      maxPauseMs: null,
    }
  }

  /** What ada says, to the leader that is asked; the API would write it so. */
  async order(name: string, order: Command, to = this.rollouts): Promise<void> {
    const term = to === this.rollouts ? this.term : this.term - 1
    await to.order(name, order, 'ada', async ({ writes, what, target, before, after }) => {
      const audit = { who: 'ada', what, target, before: JSON.stringify(before), after: JSON.stringify(after) }
      const result = await this.store.putDocuments({ writes, term, audit })
      if (result !== 'written') throw new RolloutError('not_leading', result)
    })
  }

  async look(ms = 500): Promise<void> {
    this.clock.advance(ms)
    await this.rollouts.look(await this.view())
    for (const { stable, canary: ofWhom, canaryWeight } of this.rollouts.shares()) {
      const share = ofWhom === stable ? (stable === 'v2' ? 100 : 0) : canaryWeight
      this.ofCanary = Math.round((slots * (ofWhom === 'v1' ? 100 - share : share)) / 100)
    }
  }
}

const lease = {
  token: 't',
  version: 'v1',
  epoch: 1,
  nextOffset: 0,
  incarnation: 0,
  fingerprint: null,
  trying: null,
  attempts: 0,
  killed: null,
  origin: '',
}

async function stage(t: Test): Promise<Stage> {
  const found = new Stage()
  await found.lead(t)
  await found.store.setServingVersion(null, 'v1')
  return found
}

test('a rollout goes from the first command to its report', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ setWeight: 25 }, { pause: {} }] }))
  for (let looks = 0; looks < 5; looks++) await world.look()
  t.match(world.rollouts.view('chat'), {
    phase: 'Paused',
    reason: 'CanaryPauseStep',
    weights: { desired: { v1: 75, v2: 25 }, actual: { v1: 75, v2: 25 } },
    steps: ['setWeight 25', 'pause'],
  })
  world.rollouts.heard({
    type: 'acquired',
    slot: slotId('default', 0),
    epoch: 2,
    worker: 'b',
    from: 'a',
    kind: 'planned',
    pauseMs: 12,
  })
  await world.order('chat', { type: 'promote', full: false })
  for (let looks = 0; looks < 5; looks++) await world.look()
  t.equal(world.rollouts.view('chat').phase, 'Healthy')
  t.equal(await world.store.servingVersion(), 'v2')
  const [report] = await world.rollouts.reports('chat', 5)
  t.match(report, { outcome: 'promoted', from: 'v1', to: 'v2', slotsMoved: 1, pausesMs: { p50: 12, max: 12 } })
  t.same(Object.keys(report!.versions), ['v1', 'v2'])
  t.match(
    report!.entries.filter(({ who }) => who === 'ada'),
    [{ type: 'RolloutStepCompleted' }],
  )
  const [note] = await world.store.audit(null, 1)
  t.match(note, { who: 'ada', what: 'rollout promote', target: 'Rollout/chat', before: /Paused/, after: /v2/ })
})

test('another leader takes a rollout up where it is, a pause included', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ setWeight: 25 }, { pause: { duration: '60s' } }] }))
  for (let looks = 0; looks < 4; looks++) await world.look()
  await world.look(40_000)
  const before = world.rollouts
  await world.lead(t, 'c2')
  await world.look(10_000)
  t.match(world.rollouts.view('chat'), { phase: 'Paused', step: 1 })
  await world.look(15_000)
  for (let looks = 0; looks < 3; looks++) await world.look()
  t.equal(world.rollouts.view('chat').phase, 'Healthy')
  await t.rejects(world.order('chat', { type: 'restart' }, before), { code: 'rollout_refused' })
})

test('one that was followed decides nothing any more', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ setWeight: 25 }, { pause: {} }] }))
  for (let looks = 0; looks < 5; looks++) await world.look()
  const before = world.rollouts
  await world.lead(t, 'c2')
  await world.look()
  await t.rejects(world.order('chat', { type: 'abort' }, before), { code: 'not_leading' })
  t.equal(world.rollouts.view('chat').phase, 'Paused')
})

test('commands that do not go with the state are refused and leave no trace', async (t) => {
  const world = await stage(t)
  await world.apply(canary())
  await t.rejects(world.order('chat', { type: 'abort' }), { code: 'not_begun' })
  await world.look()
  await t.rejects(world.order('none', { type: 'abort' }), { code: 'unknown_rollout' })
  for (let looks = 0; looks < 5; looks++) await world.look()
  await t.rejects(world.order('chat', { type: 'abort' }), { code: 'rollout_refused' })
  t.same(await world.store.audit(null, 5), [])
})

test('undo writes what it asks for into the resource', async (t) => {
  const world = await stage(t)
  await world.apply(canary())
  for (let looks = 0; looks < 6; looks++) await world.look()
  t.equal(world.rollouts.view('chat').stable, 'v2')
  await world.order('chat', { type: 'undo', toRevision: null })
  const [document] = await world.store.documents('Rollout')
  t.match(JSON.parse(document!.body), { spec: { strategy: { canary: { canaryService: 'v1' } } } })
  for (let looks = 0; looks < 6; looks++) await world.look()
  t.match(world.rollouts.view('chat'), { stable: 'v1', phase: 'Healthy', revision: 3 })
})

test('undo to a version that would get no slots is refused, and changes nothing', async (t) => {
  const world = await stage(t)
  await world.apply(canary())
  for (let looks = 0; looks < 6; looks++) await world.look()
  world.unfit.set('v1', 'it works with tables up to 3, and they are at 4')
  const undo = world.order('chat', { type: 'undo', toRevision: null })
  await t.rejects(undo, { code: 'rollout_refused', message: /tables up to 3/ })
  await world.look()
  t.match(world.rollouts.view('chat'), { stable: 'v2', phase: 'Healthy' })
})

test('an aborted canary is given back, reported, and its workers are kept for a while', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ setWeight: 50 }, { pause: {} }], abortScaleDownDelaySeconds: 60 }))
  for (let looks = 0; looks < 5; looks++) await world.look()
  t.equal(world.ofCanary, 4)
  await world.order('chat', { type: 'abort' })
  for (let looks = 0; looks < 5; looks++) await world.look()
  t.equal(world.ofCanary, 0)
  t.match((await world.rollouts.reports('chat', 1))[0], { outcome: 'aborted', message: /aborted by ada/ })
  t.same([...world.rollouts.versionsWanted].toSorted(), ['v1', 'v2'])
  await world.look(61_000)
  await world.look()
  t.same([...world.rollouts.versionsWanted], ['v1'])
})

test('a canary whose workers die is aborted', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ pause: {} }] }))
  for (const id of ['c', 'd', 'e']) {
    world.workers = [workerBeat('a', 'v1'), workerBeat(id, 'v2')]
    await world.look()
  }
  world.workers = [workerBeat('a', 'v1')]
  await world.look()
  t.equal(world.rollouts.view('chat').reason, 'CanaryCrashed')
})

test('a subset stands for the version that its DestinationRule says', async (t) => {
  const world = await stage(t)
  const body = JSON.stringify(
    written('DestinationRule', 'chat-worker', {
      host: 'chat-worker',
      subsets: [{ name: 'next', labels: { version: 'v2' } }],
    }),
  )
  const write = { kind: 'DestinationRule', name: 'chat-worker', seen: 0, body }
  await world.store.putDocuments({ writes: [write], term: null, audit: null })
  await world.apply(canary({ canaryService: 'next' }))
  for (let looks = 0; looks < 6; looks++) await world.look()
  t.equal(world.rollouts.view('chat').stable, 'v2')
  await world.order('chat', { type: 'undo', toRevision: 1 })
  await world.rollouts.look(await world.view())
  t.match(world.rollouts.refusalOf('chat', specOf(canary({ canaryService: 'v3' }))), /third version/)
  t.equal(world.rollouts.refusalOf('chat', specOf(canary({ canaryService: 'next' }))), null)
})

test('an analysis that no template describes ends the rollout', async (t) => {
  const world = await stage(t)
  await world.apply(canary({ steps: [{ setWeight: 25 }, { analysis: { templates: [{ templateName: 'none' }] } }] }))
  for (let looks = 0; looks < 8; looks++) await world.look()
  t.match(world.rollouts.view('chat'), { reason: 'AnalysisRunFailed', message: /no AnalysisTemplate none/ })
})

test('a Rollout that cannot be understood stops no other, and loses nothing', async (t) => {
  const world = await stage(t)
  await world.apply(canary())
  for (let looks = 0; looks < 6; looks++) await world.look()
  const [{ revision } = { revision: 0 }] = await world.store.documents('Rollout')
  const write = { kind: 'Rollout', name: 'chat', seen: revision, body: '{"spec":{}}' }
  await world.store.putDocuments({ writes: [write], term: null, audit: null })
  world.resources.changed()
  await world.look()
  t.equal((await world.store.documents('RolloutState')).length, 1)
  // Resources are read anew again and again.
  for (let looks = 0; looks < 4; looks++) await world.look(resourcesReadMs)
  t.equal(world.log.lines.filter(({ msg }) => msg === 'it cannot be understood').length, 1, 'it is said once')
})

test('a deleted Rollout is over', async (t) => {
  const world = await stage(t)
  await world.apply(canary())
  for (let looks = 0; looks < 6; looks++) await world.look()
  const [{ revision } = { revision: 0 }] = await world.store.documents('Rollout')
  const write = { kind: 'Rollout', name: 'chat', seen: revision, body: null }
  await world.store.putDocuments({ writes: [write], term: null, audit: null })
  world.resources.changed()
  await world.look()
  t.same(await world.store.documents('RolloutState'), [])
  t.same(world.rollouts.shares(), [])
})

test('what a deleted Rollout left is bounded as all that was deleted is, and one of its name goes on from there', async (t) => {
  const world = await stage(t)
  const write = async (body: string | null) => {
    const seen = (await world.store.documents('Rollout'))[0]?.revision ?? 0
    const writes = [{ kind: 'Rollout', name: 'chat', seen, body }]
    await world.store.putDocuments({ writes, term: null, audit: null })
    world.resources.changed()
  }
  await world.apply(canary())
  for (let looks = 0; looks < 6; looks++) await world.look()
  await write(null)
  await world.look()
  t.same(await world.store.documents('RolloutReport'), [])
  t.match(await world.rollouts.reports('chat', 5), [{ from: 'v1', to: 'v2', outcome: 'promoted' }])

  const conflicts: unknown[] = []
  const put = world.store.putDocuments
  world.store.putDocuments = async (change) => {
    const result = await put(change)
    if (result === 'conflict') conflicts.push(change)
    return result
  }
  await world.apply(canary({ canaryService: 'v1' }))
  for (let looks = 0; looks < 6; looks++) await world.look()
  t.match(await world.rollouts.reports('chat', 5), [{ from: 'v2', to: 'v1' }, { to: 'v2' }])
  t.equal((await world.store.documents('RolloutReport')).length, 1)
  t.same(conflicts, [])
})
