import type { Test } from 'tap'
import type { SlotView } from '../../harness/processes/api.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

/** The controller may die or stand still and traffic flows on. */
export function controllerScenarios(t: Test, cluster: Cluster): void {
  void t.test('the controller is killed and comes back', (t) => killed(t, cluster))
  void t.test('the controller stands still for a while', (t) => frozen(t, cluster))
}

async function killed(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'controller-kill', async (fleet) => {
    await cluster.settled()
    const before = ownership(await cluster.slots())
    const pid = await cluster.pid('controller')
    process.kill(pid, 'SIGKILL')
    fleet.note('killed the controller')
    await fleet.flows()
    const after = await until('a controller that answers', () => cluster.slots())
    t.not(await cluster.pid('controller'), pid)
    t.strictSame(ownership(after), before, 'it adopts what is there')
    t.ok(fleet.clear, 'no command missed its answer')
    const [victim] = await cluster.settled()
    if (victim === undefined) throw new Error('there is no worker')
    process.kill(victim.pid, 'SIGKILL')
    fleet.note(`killed ${victim.id}`)
    await until('the new controller to give its slots away', async () =>
      (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim.id),
    )
    await cluster.settled()
  })
}

async function frozen(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'controller-freeze', async (fleet) => {
    await cluster.settled()
    const before = ownership(await cluster.slots())
    const pid = await cluster.pid('controller')
    process.kill(pid, 'SIGSTOP')
    fleet.note('froze the controller')
    try {
      // 960 messages at 120 a second: eight seconds, longer than anybody's death time.
      await fleet.flows(960, 15_000)
    } finally {
      signalIfRunning(pid, 'SIGCONT')
    }
    fleet.note('woke the controller')
    await fleet.flows()
    t.strictSame(ownership(await cluster.slots()), before, 'nothing was handed over')
    t.ok(fleet.clear, 'no command missed its answer')
    await cluster.settled()
  })
}

/** Who owns what, and since which acquisition: equal when nothing was handed over between. */
function ownership(slots: SlotView[]): string[] {
  return slots.map(({ slot, owner, epoch }) => `${slot} ${owner} ${epoch}`)
}
