// Proves with real processes, 200 real clients in 40 rooms and steady load: workers can be drained one after the
// other, killed at any moment, frozen until others have taken over and woken again, and joined by another version,
// and no client notices: no socket closes, nothing is lost, doubled, made up or out of order.
import t from 'tap'
import { signalIfRunning, startCluster } from '../support/cluster.ts'
import { underLoad } from '../support/under-load.ts'
import { until } from '../support/until.ts'

const cluster = await startCluster()
t.teardown(() => cluster.stop())

void t.test('each worker is drained in turn', async (t) => {
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
})

void t.test('workers are killed, again and again, alone and both at once', async (t) => {
  await underLoad(t, cluster, 'kill', async (fleet) => {
    for (let round = 0; round < 8; round++) {
      const workers = await cluster.settled()
      // The last round takes both: for a moment nobody owns a slot.
      const victims = round === 7 ? workers : workers.slice(round % 2, (round % 2) + 1)
      for (const { id, pid } of victims) {
        fleet.note(`kill ${id}`)
        process.kill(pid, 'SIGKILL')
      }
      await until(
        async () => {
          const ids = new Set((await cluster.workers()).map((worker) => worker.id))
          return victims.every(({ id }) => !ids.has(id))
        },
        { deadlineMs: 5_000, what: 'the killed ones to be known as dead' },
      )
      await cluster.settled()
      await fleet.flows()
    }
  })
})

void t.test('a worker is frozen until its slots were given away, and wakes again', async (t) => {
  await underLoad(t, cluster, 'freeze', async (fleet) => {
    const [victim] = await cluster.settled()
    if (victim === undefined) throw new Error('there is no worker')
    fleet.note(`freeze ${victim.id}`)
    process.kill(victim.pid, 'SIGSTOP')
    try {
      await until(async () => (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim.id), {
        deadlineMs: 10_000,
        what: 'all slots to be owned by others',
      })
      await fleet.flows()
    } finally {
      signalIfRunning(victim.pid, 'SIGCONT')
    }
    fleet.note(`woke ${victim.id}`)
    await fleet.flows()
    await cluster.settled()
  })
})

void t.test('a worker of another version joins and leaves without getting a slot', async (t) => {
  await underLoad(t, cluster, 'version', async (fleet) => {
    const before = await cluster.settled()
    await using joined = cluster.start('worker', '--version', 'v2')
    const guest = await until(async () => (await cluster.workers()).find(({ version }) => version === 'v2'), {
      deadlineMs: 10_000,
      what: 'a worker of version v2',
    })
    // Its presence changes nothing even where slots have to move.
    const [victim] = before
    if (victim === undefined) throw new Error('there is no worker')
    process.kill(victim.pid, 'SIGKILL')
    await until(
      async () => {
        const slots = await cluster.slots()
        t.notOk(
          slots.some(({ owner }) => owner === guest.id),
          'v2 owns no slot',
        )
        return slots.every(({ owner }) => owner !== null && owner !== victim.id)
      },
      { deadlineMs: 5_000, what: 'the slots of the killed one to be owned' },
    )
    await fleet.flows()
    t.equal((await joined.stop()).code, 0)
    t.ok(fleet.clear, 'no command missed its answer')
  })
})
