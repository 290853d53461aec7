import { setTimeout as pause } from 'node:timers/promises'
import type { RolloutReport } from '../controller/rollouts/report.ts'
import type { RolloutView } from '../controller/rollouts/view.ts'
import { partitionOf } from '../protocol/partition.ts'
import type { BenchCluster } from './cluster.ts'
import { Handoffs } from './handoffs.ts'
import { Publishers } from './publishers.ts'
import type { Phase } from './publishers.ts'
import { format } from './report.ts'
import type { Figure } from './report.ts'
import { quantile } from './stats.ts'

/** Slots of the cluster; each has a room in which somebody publishes. */
export const rolloutSlots = 64

const perSecond = 1_000
const workersOfCanary = 2
/** Each is three rollouts. */
const rounds = 3
/** Compilers, here and in the services, have done their work by then. */
const warmUpMs = 20_000
/** About as long as a rollout, so that the longest of a room can be compared. */
const calmMs = 4_000
const calmWindows = { before: 5, after: 2 }
/** A rollout that is not over by then will not be. */
const patienceMs = 120_000

/** What became of one kind of rollout, over all rounds. */
interface Course {
  name: string
  /** Until every slot was where it should be. */
  seconds: number[]
  /** Of each slot that moved, ms. */
  pauses: number[]
}

/** A running cluster with load on it, and what is noted of it. */
interface Scene {
  cluster: BenchCluster
  publishers: Publishers
  handoffs: Handoffs
  /** Of everything but the clients, in each phase. */
  cpu: Map<string, { ms: number; seconds: number }>
  /** Sockets that closed meanwhile, as the reports of the rollouts have it. */
  closed: number
}

/**
 * What clients see of rollouts under steady load: through 10, 50 and 100 %; aborted at 50 %; and everything at once. The
 * floor of what they see is the same before the first.
 */
export async function rollout(cluster: BenchCluster): Promise<Figure[]> {
  await using publishers = await Publishers.start(cluster, roomsOfSlots(), perSecond)
  await using handoffs = await Handoffs.follow(cluster.logUrl)
  const scene: Scene = { cluster, publishers, handoffs, cpu: new Map(), closed: 0 }
  const [through, aborted, once] = ['through 10, 50 and 100 %', 'aborted at 50 %', 'all at once'].map(
    (name): Course => ({ name, seconds: [], pauses: [] }),
  ) as [Course, Course, Course]
  for (let count = 0; count < workersOfCanary; count++) await cluster.startWorker('v2')
  await pause(warmUpMs)
  await calm(scene, 'before')
  // To v2, half of the way back and to v2 again, back: the next round begins as the first did.
  for (let round = 0; round < rounds; round++) {
    await promote(scene, through, 'v2', [{ setWeight: 10 }, { setWeight: 50 }])
    await calm(scene, 'after')
    await abort(scene, aborted, 'v1')
    await promote(scene, once, 'v1', [])
  }
  const { phases, published, failed, closed, lost } = await publishers.end()
  const before = phases['before']!
  const courses = [through, aborted, once]
  process.stderr.write(`  ${published} published\n`)
  return [
    ...waits('before', before, null),
    ...[through.name, 'after', aborted.name, once.name].flatMap((name) => waits(name, phases[name]!, before)),
    ...['after', ...courses.map(({ name }) => name)].map((name) => ({
      name: `rollout, ${name}: CPU of everything but the clients`,
      value: cpuOf(scene, name),
      unit: 'ms/s',
      floor: { name: 'before', value: cpuOf(scene, 'before') },
    })),
    ...courses.flatMap(standstills),
    { name: 'rollouts: publishes that failed', value: failed, unit: '' },
    { name: 'rollouts: publications lost', value: lost, unit: '' },
    { name: 'rollouts: sockets that closed, as clients saw it', value: closed, unit: '' },
    { name: 'rollouts: sockets that closed, as reports tell', value: scene.closed, unit: '' },
  ]
}

/** A room for each slot. */
function roomsOfSlots(): string[] {
  const rooms = new Map<number, string>()
  for (let n = 0; rooms.size < rolloutSlots; n++) rooms.getOrInsert(partitionOf(`room-${n}`, rolloutSlots), `room-${n}`)
  return [...rooms.values()]
}

async function calm(scene: Scene, name: keyof typeof calmWindows): Promise<void> {
  for (let window = 0; window < calmWindows[name]; window++) await phase(scene, name, () => pause(calmMs))
}

/** What clients see and what the cluster spends meanwhile belongs to the phase of this name. */
async function phase<T>({ cluster, publishers, cpu }: Scene, name: string, during: () => Promise<T>): Promise<T> {
  await publishers.phase(name)
  const [start, before] = [performance.now(), await cluster.cpuMs()]
  const result = await during()
  const spent = cpu.getOrInsert(name, { ms: 0, seconds: 0 })
  spent.ms += (await cluster.cpuMs()) - before
  spent.seconds += (performance.now() - start) / 1_000
  return result
}

/** In ms of a second. */
function cpuOf({ cpu }: Scene, name: string): number {
  const { ms, seconds } = cpu.get(name)!
  return ms / seconds
}

/** From applying it until the canary has everything. */
async function promote(scene: Scene, course: Course, canary: string, steps: object[]): Promise<void> {
  const { startedAt, endedAt } = await phase(scene, course.name, async () => {
    await begin(scene, canary, steps)
    return end(scene, 'promoted', ({ stable }) => stable === canary)
  })
  note(course, (endedAt - startedAt) / 1_000, scene.handoffs.take())
}

/** From the abort until the stable version has everything again; how it came to 50 % is not of it. */
async function abort(scene: Scene, course: Course, canary: string): Promise<void> {
  const { cluster, handoffs } = scene
  await phase(scene, 'to 50 %', async () => {
    await begin(scene, canary, [{ setWeight: 50 }, { pause: {} }])
    await until('it pauses at 50 %', async () => (await view(cluster))?.reason === 'CanaryPauseStep')
  })
  handoffs.take()
  const abortedAt = performance.now()
  await phase(scene, course.name, async () => {
    await cluster.api(`/rollouts/${rolloutName}/abort`, 'POST')
    await end(scene, 'aborted', ({ phase }) => phase === 'Degraded')
  })
  note(course, (performance.now() - abortedAt) / 1_000, handoffs.take())
}

function note(course: Course, seconds: number, pauses: number[]): void {
  course.seconds.push(seconds)
  course.pauses.push(...pauses)
  const [p50, max] = [0.5, 1].map((q) => format(quantile(pauses, q)))
  process.stderr.write(
    `  ${course.name}: ${pauses.length} slots in ${seconds.toFixed(2)} s, p50 ${p50}, max ${max} ms\n`,
  )
}

const rolloutName = 'bench'

/** Without an analysis: how long one takes is not what is measured. */
async function begin({ cluster, handoffs }: Scene, canaryService: string, steps: object[]): Promise<void> {
  handoffs.take()
  const canary = { canaryService, steps, analysis: { templates: [] }, scaleDownDelaySeconds: 3_600 }
  const metadata = { name: rolloutName }
  const resource = { apiVersion: 'holdfast.dev/v1', kind: 'Rollout', metadata, spec: { strategy: { canary } } }
  await cluster.api('/resources', 'POST', { resources: [resource] })
}

/**
 * Waits for the end of the rollout, which before it begins is over too; takes its report, and deletes it: its slots stay
 * where they are.
 */
async function end(
  scene: Scene,
  outcome: RolloutReport['outcome'],
  isIt: (seen: RolloutView) => boolean,
): Promise<RolloutReport> {
  const { cluster } = scene
  await until('the rollout ends', async () => {
    const seen = await view(cluster)
    return seen !== null && seen.endedAt !== null && isIt(seen)
  })
  const [report] = await cluster.api<RolloutReport[]>(`/rollouts/${rolloutName}/report`)
  if (report?.outcome !== outcome) throw new Error(`the rollout is not ${outcome}: ${JSON.stringify(report)}`)
  scene.closed += Object.values(report.closed).reduce((sum, count) => sum + count, 0)
  await cluster.api('/resources/delete', 'POST', { names: [{ kind: 'Rollout', name: rolloutName }] })
  await until('the rollout is gone', async () => (await view(cluster)) === null)
  return report
}

async function view(cluster: BenchCluster): Promise<RolloutView | null> {
  return (await cluster.api<RolloutView[]>('/rollouts')).find(({ name }) => name === rolloutName) ?? null
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await pause(50)
  }
}

/** What clients waited for in a phase. */
function waits(name: string, phase: Phase, before: Phase | null): Figure[] {
  const figure = (what: string, of: keyof Phase, q: number): Figure => ({
    name: `rollout, ${name}: ${what}`,
    value: quantile(phase[of], q),
    unit: 'ms',
    ...(before && { floor: { name: 'before', value: quantile(before[of], q) } }),
  })
  return [
    figure('publish→ack p50', 'acks', 0.5),
    figure('publish→ack p99', 'acks', 0.99),
    figure('publish→ack max', 'acks', 1),
    figure('longest time between two acks of a room, p50', 'gaps', 0.5),
    figure('longest time between two acks of a room, p99', 'gaps', 0.99),
    figure('longest time between two acks of a room, max', 'gaps', 1),
  ]
}

/** How long slots stood still, and how long it took until all were where they should be. */
function standstills({ name, seconds, pauses }: Course): Figure[] {
  const figure = (what: string, q: number): Figure => ({
    name: `rollout, ${name}: pause of a slot, ${what}`,
    value: quantile(pauses, q),
    unit: 'ms',
  })
  return [
    { name: `rollout, ${name}: slots that moved`, value: pauses.length, unit: '' },
    figure('p50', 0.5),
    figure('p99', 0.99),
    figure('max', 1),
    {
      name: `rollout, ${name}: until the last slot is there, median of ${rounds}`,
      value: quantile(seconds, 0.5),
      unit: 's',
    },
    {
      name: `rollout, ${name}: until the last slot is there, longest of ${rounds}`,
      value: quantile(seconds, 1),
      unit: 's',
    },
  ]
}
