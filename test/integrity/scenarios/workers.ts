import type { Test } from 'tap'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { parseSlot } from '../../../protocol/slot.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import type { WorkerView } from '../../harness/processes/api.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { groupSlots } from '../../harness/settings.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

/**
 * What workers may suffer without any client noticing. Every scenario leaves the cluster with its own two workers. The
 * more often they are killed, the longer the supervisor waits before it starts another.
 */
export function workerScenarios(t: Test, cluster: Cluster, { killRounds = 8 } = {}): void {
  if (cluster.ownSlots !== null)
    void t.test('slots are listed by group, and namespaces stay in theirs', (t) => groups(t, cluster))
  void t.test('each worker is drained in turn', (t) => drains(t, cluster))
  void t.test('workers are killed, again and again, alone and both at once', (t) => kills(t, cluster, killRounds))
  void t.test('a worker is frozen until its slots were given away, and wakes again', (t) => zombie(t, cluster))
  void t.test('a worker of another version joins and leaves without getting a slot', (t) => guest(t, cluster))
  void t.test('another version takes over all slots, and gives them back', (t) => versions(t, cluster))
}

async function groups(t: Test, cluster: Cluster): Promise<void> {
  await cluster.settled()
  const { stdout } = await cluster.command('slots', '--json')
  const slots = (JSON.parse(stdout) as { slot: SlotId }[]).map(({ slot }) => parseSlot(slot))
  const own = Array.from({ length: groupSlots }, (_, partition) => ({ group: 'inner', partition }))
  const others = Array.from({ length: slots.length - groupSlots }, (_, partition) => ({ group: 'default', partition }))
  t.same(slots, [...others, ...own], 'listed by group')
  const { exit, stderr } = await cluster.command('migrate', '--topics.groups', '[]')
  t.equal(exit.code, exitCodes.badConfig)
  t.match(stderr, /namespace staff in the group default, but it belongs to inner for good/)
  const worker = cluster.start('worker', '--topics.groups', '[]')
  t.equal((await worker.exited).code, exitCodes.badConfig, 'a worker that is told otherwise does not start')
}

async function drains(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'drain', async (fleet) => {
    for (const { id } of await cluster.settled()) {
      fleet.note(`drain ${id}`)
      await cluster.drain(id)
      const workers = await cluster.settled()
      t.notOk(
        workers.some((worker) => worker.id === id),
        'a fresh one took its place',
      )
      await fleet.flows()
    }
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

async function kills(t: Test, cluster: Cluster, rounds: number): Promise<void> {
  await underLoad(t, cluster, 'kill', async (fleet) => {
    for (let round = 0; round < rounds; round++) {
      const workers = await cluster.settled()
      // The last round takes both: for a moment nobody owns a slot.
      const victims = round === rounds - 1 ? workers : workers.slice(round % 2, (round % 2) + 1)
      for (const { id, pid } of victims) {
        fleet.note(`kill ${id}`)
        process.kill(pid, 'SIGKILL')
      }
      await until(
        'the killed ones to be known as dead',
        async () => {
          const ids = new Set((await cluster.workers()).map((worker) => worker.id))
          return victims.every(({ id }) => !ids.has(id))
        },
        5_000,
      )
      await cluster.settled()
      await fleet.flows()
    }
  })
}

async function zombie(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'freeze', async (fleet) => {
    const [victim] = await cluster.settled()
    if (victim === undefined) throw new Error('there is no worker')
    fleet.note(`freeze ${victim.id}`)
    process.kill(victim.pid, 'SIGSTOP')
    try {
      await until('all slots to be owned by others', async () =>
        (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim.id),
      )
      await fleet.flows()
    } finally {
      signalIfRunning(victim.pid, 'SIGCONT')
    }
    fleet.note(`woke ${victim.id}`)
    await fleet.flows()
    await cluster.settled()
  })
}

async function guest(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'guest', async (fleet) => {
    const before = await cluster.settled()
    await using joined = cluster.start('worker', '--version', 'v2')
    const [guest] = await workersOf(cluster, 'v2', 1)
    // Its presence changes nothing even where slots have to move.
    const [victim] = before
    if (victim === undefined || guest === undefined) throw new Error('there is no worker')
    process.kill(victim.pid, 'SIGKILL')
    await until(
      'the slots of the killed one to be owned',
      async () => {
        const slots = await cluster.slots()
        t.notOk(
          slots.some(({ owner }) => owner === guest.id),
          'v2 owns no slot',
        )
        return slots.every(({ owner }) => owner !== null && owner !== victim.id)
      },
      5_000,
    )
    await fleet.flows()
    t.equal((await joined.stop()).code, exitCodes.ok)
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

async function versions(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'version', async (fleet) => {
    const before = await cluster.settled()
    await using first = cluster.start('worker', '--version', 'v2')
    await using second = cluster.start('worker', '--version', 'v2')
    await workersOf(cluster, 'v2', 2)
    fleet.note('drain all workers of v1')
    // Those that come in their place do not serve while one of v2 lives.
    await Promise.all(before.map(({ id }) => cluster.drain(id)))
    await owned(cluster, 'v2')
    await workersOf(cluster, 'v1', 2)
    await fleet.flows()
    fleet.note('stop all workers of v2')
    const exits = await Promise.all([first.stop(), second.stop()])
    t.strictSame(
      exits.map(({ code }) => code),
      [0, 0],
    )
    await owned(cluster, 'v1')
    await fleet.flows()
    t.ok(fleet.clear, 'no command missed its answer')
    await cluster.settled()
  })
}

/** Waits for `count` live workers of a version. */
async function workersOf(cluster: Cluster, version: string, count: number): Promise<WorkerView[]> {
  return until(`${count} workers of version ${version}`, async () => {
    const workers = await cluster.workers()
    const found = workers.filter((worker) => worker.version === version && worker.state === 'live')
    return found.length === count && found
  })
}

async function owned(cluster: Cluster, version: string): Promise<void> {
  await until(`${version} to own every slot`, async () =>
    (await cluster.slots()).every((slot) => slot.version === version && slot.owner !== null),
  )
}
