/** Canaries that are rolled out by themselves, with the built-in counters alone: good ones come through, bad ones do not. */
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { partitionOf } from '../../../protocol/partition.ts'
import type { Finding } from '../../checker/finding.ts'
import type { Fleet, FleetOptions } from '../../harness/clients/fleet.ts'
import { harmOf, promptMs } from '../../harness/clients/harm.ts'
import { BusyMachine } from '../../harness/processes/busy-machine.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { processSettings } from '../../harness/settings.ts'
import { Kept } from '../../support/process.ts'
import { until } from '../../support/until.ts'

const fixtures = new URL('../../harness/fixtures/canaries/', import.meta.url)
const slots = Number(processSettings.HOLDFAST_TOPICS_SLOTS)

interface RolloutView {
  phase: string
  reason: string
  message: string
  canary: string
  slots: { byVersion: Record<string, number> }
}

/** A canary of these tests. */
interface Canary {
  /** Its version, and a file of `test/harness/fixtures/canaries`. */
  name: string
  /** What the rollout says when it is given up. */
  says: RegExp
  /** It is found within this. */
  foundMs: number
  /** Clients are told what is not so: the checker finds that, too. */
  isSeen?: true
  /** It never comes up. */
  isDown?: true
  /** Percent that it gets; `usualWeight` without it. */
  weight?: number
  /** Workers of it; one without it. */
  workers?: number
  fleet?: Partial<FleetOptions>
}

/** Many commands and few deliveries: what goes wrong once in a thousand is to show soon. */
const busyRooms: Partial<FleetOptions> = {
  clients: 100,
  rooms: 100,
  roomsPerClient: 1,
  sendsPerSecond: 600,
  visitors: 0,
}

const canaries = {
  errs: { says: /^analysis failed: errors: /, foundMs: 60_000 },
  'wrong-offset': { says: /^analysis failed: /, foundMs: 60_000, isSeen: true },
  slow: { says: /^analysis failed: latency: /, foundMs: 90_000 },
  crashes: { says: /^analysis failed: crashes: |ended without a word/, foundMs: 60_000 },
  'crash-loop': {
    says: /^3 workers of crash-loop ended, the last without a word while it was starting/,
    foundMs: 60_000,
    isDown: true,
  },
  drops: {
    says: /^analysis failed: effects: /,
    foundMs: 120_000,
    isSeen: true,
    weight: 50,
    workers: 2,
    fleet: busyRooms,
  },
} as const satisfies Record<string, Omit<Canary, 'name'>>

/** The bad ones of these tests. */
export type BadCanary = keyof typeof canaries

/** All slots are at the stable version again so soon after a canary was given up. */
const backMs = 10_000

/**
 * Percent of all rooms that may be harmed beyond the canary's weight: slots have different numbers of rooms, and a machine
 * that is too busy to let the stable version's workers answer gives their slots to the canary for a moment.
 */
const harmedMore = 25

/** Percent. */
const usualWeight = 25

/** Every bad canary, and a good one. */
export function canaryScenarios(t: Test, cluster: Cluster): void {
  for (const name of Object.keys(canaries) as BadCanary[])
    void t.test(`one of the kind "${name}"`, (t) => isRolledBack(t, cluster, name))
  void t.test('a good one on a machine that has more to do than it can', (t) => comesThrough(t, cluster))
}

/** A canary that is as good as what it replaces serves in the end, however busy the machine is. */
async function comesThrough(t: Test, cluster: Cluster): Promise<void> {
  const name = 'good'
  await underLoad(t, cluster, name, async (fleet) => {
    await using _worker = await cluster.keepWorker(environmentOf(name, 'chat'))
    using _busy = new BusyMachine()
    await cluster.applied(rollout(name, usualWeight, '15s'))
    const startedAt = performance.now()
    const stopped: string[] = []
    const view = await until(
      'a good canary to serve',
      async () => {
        const seen = await cluster.read<RolloutView>('rollouts/chat')
        const { phase, reason, message } = seen
        if (seen.canary !== name) return false
        if (phase === 'Degraded' || (phase === 'Paused' && reason !== 'CanaryPauseStep')) stopped.push(message)
        return (stopped.length > 0 || phase === 'Healthy') && seen
      },
      120_000,
    )
    t.comment(`${name}: serves after ${seconds(performance.now() - startedAt)}, pause of 15 s included`)
    t.strictSame(stopped, [])
    t.strictSame(Object.keys(view.slots.byVersion), [name])
    await fleet.flows()
  })
}

/** A bad canary is found and rolled back unattended; what it leaves behind is as if it had never been. */
export async function isRolledBack(t: Test, cluster: Cluster, name: BadCanary): Promise<void> {
  const canary: Canary = { name, ...canaries[name] }
  const course = { hadSlots: new Set<string>(), operations: 0 }
  const judge = (findings: Finding[], fleet: Fleet): void => {
    t.equal(
      findings.length > 0,
      canary.isSeen === true,
      'the checker sees it only where clients are told what is not so',
    )
    const had = fleet.rooms.filter((room) => course.hadSlots.has(`default/${partitionOf(room, slots)}`))
    const { failed, late } = harmOf(fleet.operations.slice(0, course.operations), findings)
    const [bad, slow] = [failed, late].map((rooms) => had.filter((room) => rooms.has(room)).length)
    const rooms = `of ${had.length} rooms that it had (${fleet.rooms.length} in all)`
    t.comment(`${name}: something failed in ${bad} ${rooms}, and in ${slow} an answer took more than ${promptMs} ms`)
    t.ok(bad! <= (fleet.rooms.length * ((canary.weight ?? usualWeight) + harmedMore)) / 100, 'few rooms are harmed')
    t.strictSame(
      [...failed].filter((room) => !had.includes(room)),
      [],
      'nothing fails in a room that it never had',
    )
  }
  const faults = async (fleet: Fleet): Promise<void> => {
    await givenUp(t, cluster, canary, course.hadSlots)
    course.operations = fleet.operations.length
    await fleet.flows()
  }
  await underLoad(t, cluster, name, faults, { judge, ...(canary.fleet && { fleet: canary.fleet }) })
}

/** Rolls a canary out until every slot is back; notes which slots it had. */
async function givenUp(t: Test, cluster: Cluster, canary: Canary, hadSlots: Set<string>): Promise<void> {
  const { name, weight = usualWeight, workers = 1, isDown, foundMs, says } = canary
  const settings = environmentOf(name, fileURLToPath(new URL(`${name}.ts`, fixtures)))
  await using stack = new AsyncDisposableStack()
  for (let left = workers; left > 0; left--) {
    if (isDown) stack.use(new Kept(['worker'], { ...cluster.environment, ...settings }))
    else stack.use(await cluster.keepWorker(settings))
  }
  await cluster.applied(rollout(name, weight, '10m'))
  const startedAt = performance.now()
  const look = async (isOver: (view: RolloutView) => boolean): Promise<RolloutView | null> => {
    const [view, all] = await Promise.all([cluster.read<RolloutView>('rollouts/chat'), cluster.slots()])
    for (const { slot, version } of all) if (version === name) hadSlots.add(slot)
    return view.canary === name && isOver(view) ? view : null
  }
  const found = await until(`${name} to be given up`, () => look(({ phase }) => phase === 'Degraded'), foundMs)
  const foundAt = performance.now()
  const isBack = () => look(({ slots: { byVersion } }) => !byVersion[name] && (byVersion['v1'] ?? 0) === slots)
  await until(`every slot to be back from ${name}`, isBack, backMs)
  const tookMs = performance.now() - foundAt
  t.comment(`${name}: found after ${seconds(foundAt - startedAt)}, all back ${seconds(tookMs)} later: ${found.message}`)
  t.match(found.message, says)
}

function environmentOf(version: string, app: string): NodeJS.ProcessEnv {
  return { HOLDFAST_WORKER_VERSION: version, HOLDFAST_WORKER_APP: app }
}

function rollout(version: string, weight: number, duration: string) {
  const canary = {
    canaryService: version,
    abortScaleDownDelaySeconds: 1,
    steps: [{ setWeight: weight }, { pause: { duration } }],
  }
  const spec = { strategy: { canary } }
  return { apiVersion: 'holdfast.dev/v1', kind: 'Rollout', metadata: { name: 'chat' }, spec }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
