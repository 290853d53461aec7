/**
 * Proves that the workers of releases follow what the controller says: they start and stop with its wishes, nothing
 * changes while it is away, what ended in order stays away once it is not wanted, and what is noted serves the next start.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import t from 'tap'
import type { Test } from 'tap'
import { ReleaseWorkers, releasesLookMs } from '../../../cli/dev/release-workers.ts'
import type { SeenCluster } from '../../../cli/dev/release-workers.ts'
import { SupervisedChild } from '../../../cli/dev/supervised-child.ts'
import type { ChildGroup } from '../../../cli/dev/supervisor.ts'
import { Releases } from '../../../cli/releases/releases.ts'
import { sourceAt } from '../../../cli/releases/source.ts'
import { until } from '../../support/until.ts'

const logger = pino({ level: 'silent' })

/** A supervisor that starts nothing, with a controller that says what it is told to. */
async function setUp(t: Test, directory: string) {
  const releases = new Releases(`${directory}/data`)
  const configured = releases.keepConfigured({ version: 'v1', app: 'chat' }, new Date(0))
  for (const version of ['v2', 'v3']) {
    await releases.keep(sourceAt(`${directory}/app.js`), { version, workers: null }, new Date(0))
  }
  const groups = new Map<string, ChildGroup>()
  const events: string[] = []
  let seen: SeenCluster | null = null
  let looks = 0
  const workers = new ReleaseWorkers({
    releases,
    first: releases.first(configured),
    crew: {
      add(group) {
        const [spec] = group.children
        groups.set(spec!.name, group)
        events.push(`start ${spec!.name}`)
        return group.children.map((each) => new SupervisedChild(each, logger, {}))
      },
      remove: async ([child]) => void events.push(`stop ${child?.name}`),
    },
    groupOf: ({ version }) => ({
      children: [{ name: version, script: '', args: [], nodeOptions: [], env: {} }],
      startStage: 1,
      stopStage: 1,
    }),
    look: async () => {
      looks++
      return seen
    },
    logger,
  })
  workers.start()
  // While the directory is removed its releases vanish one after another, and that would be noted in it.
  t.teardown(() => (seen = null))
  return {
    releases,
    groups,
    events,
    says(wanted: string[], serving: string | null, others: string[] = []) {
      const versions = [...wanted, ...others].map((version) => ({ version, wanted: wanted.includes(version) }))
      seen = { versions, serving }
    },
    isAway: () => (seen = null),
    async looked() {
      const before = looks
      await until('another look is over', () => looks > before + 1)
    },
  }
}

void t.test('a canary comes, serves, and the old version goes', async (t) => {
  const { releases, groups, events, says, looked } = await setUp(t, t.testdir({ 'app.js': '' }))
  t.same(events, ['start v1'])
  t.notOk(groups.get('v1')?.mayFail, 'without the first nothing works')
  t.equal(releases.current?.version, 'v1')
  says(['v1', 'v2'], 'v1')
  await until('v2 starts', () => events.includes('start v2'))
  t.ok(groups.get('v2')?.mayFail, 'a canary that cannot start harms nobody')
  t.same(
    releases.wanted.map(({ version }) => version),
    ['v1', 'v2'],
  )
  says(['v1', 'v2'], 'v2')
  await until('v2 is what serves', () => releases.current?.version === 'v2')
  t.notOk(events.includes('stop v1'), 'it may have to serve again')
  says(['v2'], 'v2', ['v1'])
  await until('v1 stops', () => events.includes('stop v1'))
  await looked()
  t.same(events, ['start v1', 'start v2', 'stop v1'])
  t.same(
    releases.wanted.map(({ version }) => version),
    ['v2'],
  )
})

void t.test('with the controller away, and where what it wants is elsewhere, nothing changes', async (t) => {
  const { events, says, isAway, looked } = await setUp(t, t.testdir({ 'app.js': '' }))
  says(['v1', 'v2'], 'v1')
  await until('v2 starts', () => events.includes('start v2'))
  isAway()
  await looked()
  says(['by-hand'], 'by-hand', ['v1', 'v2'])
  await sleep(3 * releasesLookMs)
  t.same(events, ['start v1', 'start v2'])
})

void t.test('one that ended in order comes back only if its version is wanted by then', async (t) => {
  const { groups, says } = await setUp(t, t.testdir({ 'app.js': '' }))
  const again = () => groups.get('v1')?.again?.()
  t.equal(await again(), true, 'nobody has said otherwise')
  says(['v1', 'v2'], 'v1')
  t.equal(await again(), true)
  says(['v2'], 'v2', ['v1'])
  t.equal(await again(), false)
})

void t.test('the next start runs what was wanted last, what serves first', async (t) => {
  const directory = t.testdir({ 'app.js': '' })
  const before = await setUp(t, directory)
  before.says(['v2', 'v3'], 'v2')
  await until('both are noted', () => before.releases.wanted.length === 2 && before.releases.current?.version === 'v2')
  before.isAway()
  const after = await setUp(t, directory)
  t.same(after.events, ['start v2', 'start v3'])
  t.ok(after.groups.get('v2')?.mayFail, 'the others of the cluster can go on, and go back')
})
