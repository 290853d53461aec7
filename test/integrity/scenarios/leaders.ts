import { Faults } from 'holdfast/testing'
import type { Test } from 'tap'
import { openStore } from '../../../cluster/open-store.ts'
import { freePort } from '../../../compose/services/free-port.ts'
import { rolloutKinds } from '../../../controller/rollouts/kept-rollouts.ts'
import { encodeControl } from '../../../protocol/records/control.ts'
import type { Fault } from '../../../protocol/records/fault.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import { Api } from '../../harness/processes/api.ts'
import { readyDeadlineMs } from '../../harness/processes/cluster.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { isLeader, takeoverMs } from '../../harness/processes/controller-pair.ts'
import { HintsInLog } from '../../harness/processes/hints.ts'
import { Canary, healthy, pausedAt, rolloutOf, rolloutView, slowHandoffs } from '../../harness/processes/rollout.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

/** Settings of a cluster for these scenarios: all that its processes follow is asked for with the help of faults. */
export const leaderScenarioSettings = { HOLDFAST_FAULTS_ENABLED: 'on' }

/** Two controllers, and what the one that was followed says is of no account. Begins and ends with v1. */
export function leaderScenarios(t: Test, cluster: Cluster): void {
  void t.test('two leaders in the middle of a rollout', (t) => twoLeaders(t, cluster))
}

/** A fault that a controller of a former term is made to set. */
const stale: Fault = { name: 'stale', stage: 'worker.beforeCommit', abort: { percentage: 100 }, seed: 0 }

async function twoLeaders(t: Test, cluster: Cluster): Promise<void> {
  const name = 'leaders'
  const port = await freePort()
  await using standby = cluster.start('controller', '--port', String(port))
  await standby.line('controller is up', readyDeadlineMs)
  const first = new Api(cluster.controllerPort, cluster.dataDirectory)
  const second = new Api(port, cluster.dataDirectory)
  const pid = (await cluster.pids('controller')).find((each) => each !== standby.pid)!
  await underLoad(t, cluster, 'rollout-leaders', async (fleet) => {
    await using v2 = await Canary.start(cluster)
    void v2
    await using hints = await HintsInLog.open(cluster)
    await slowHandoffs(first)
    await cluster.applied(rolloutOf(name, [{ setWeight: 50 }, { pause: {} }]))
    await until('slots on their way', async () => (await rolloutView(first, name)).weights.actual['v2']! > 0)
    process.kill(pid, 'SIGSTOP')
    fleet.note('froze the leader in the middle of a step')
    const frozenAt = performance.now()
    const term = hints.term
    try {
      await until('the other one leads', () => isLeader(second), takeoverMs)
      t.comment(`the other one leads ${(performance.now() - frozenAt).toFixed(0)} ms after the first was frozen`)
      await pausedAt(t, second, name, 50)
    } finally {
      signalIfRunning(pid, 'SIGCONT')
    }
    fleet.note('woke the first')
    await until('the first to know that it does not lead', async () => !(await isLeader(first)))
    t.ok(term < hints.term, `term ${hints.term} follows ${term}`)
    t.ok(new Set(hints.moves.map((move) => move.term)).size > 1, 'each of them has hinted hand-offs')
    await t.rejects(first.send('POST', `rollouts/${name}/abort`, {}), /not_leading/, 'the first one takes no order')
    await documentsAreFenced(t, cluster, name, term)
    await ordersAreFenced(t, { hints, former: term, faults: faultsAt(cluster, port), api: second })
    await fleet.flows()

    await second.send('POST', `rollouts/${name}/promote`, {})
    await healthy(second, name, 'v2')
    await second.send('POST', `rollouts/${name}/undo`, {})
    await second.send('POST', `rollouts/${name}/promote`, { full: true })
    await healthy(second, name, 'v1')
    t.equal(hints.moves.at(-1)?.term, hints.term, 'the second has led to the end')
    t.ok(fleet.clear, 'no command missed its answer')
  })
  await standby.stop()
  await until('the first leads again', () => isLeader(first))
  await cluster.deleted('Rollout', name)
  await cluster.settled()
}

function faultsAt({ dataDirectory }: Cluster, port: number): Faults {
  return new Faults({ url: `http://127.0.0.1:${port}`, dataDir: dataDirectory })
}

/** What one that leads no more decides about a rollout is kept by nobody. */
async function documentsAreFenced(t: Test, { storeUrl }: Cluster, name: string, former: number): Promise<void> {
  const store = await openStore(storeUrl)
  try {
    const states = () => store.documents(rolloutKinds.state)
    const before = (await states()).find((document) => document.name === name)!
    const write = { kind: rolloutKinds.state, name, seen: before.revision, body: '{"mode":"aborted"}' }
    const overwritten = await store.putDocuments({ writes: [write], term: former, audit: null })
    // The newest revision is no conflict: it is the term that forbids it.
    t.equal(overwritten === 'fenced', true, `a write of term ${former} is ${overwritten}`)
    t.notMatch(await states(), [{ name, body: write.body }])
  } finally {
    await store.close()
  }
}

/** A slot with its owner. */
interface Owned {
  slot: SlotId
  owner: string
  version: string
  epoch: number
}

interface Orders {
  hints: HintsInLog
  /** A term that is over. */
  former: number
  faults: Faults
  api: Api
}

/**
 * Orders of a term that is over are followed by nobody; the same of the present one are, as far as the lease is where they say.
 */
async function ordersAreFenced(t: Test, { hints, former, faults, api }: Orders): Promise<void> {
  const slots = () => api.read<Owned[]>('slots')
  const before = await slots()
  const mine = before.find(({ version }) => version === 'v1')!
  const other = before.find(({ version, owner }) => version === 'v1' && owner !== mine.owner)!
  const { slot, owner: from, epoch } = mine
  const move = { type: 'move', slot, epoch, from, to: other.owner, announced: null } as const
  const send = (order: { key: string; term: number; epoch?: number }) => {
    const { key, ...others } = order
    return hints.forge(key, encodeControl({ ...move, ...others }))
  }
  await send({ key: `slot/${slot}`, term: former })
  await hints.forge(`worker/${from}`, encodeControl({ type: 'drain', term: former, worker: from }))
  await hints.forge('config', encodeControl({ type: 'config', term: former, revision: 1_000, faults: [stale] }))
  await send({ key: `slot/${slot}`, term: hints.term, epoch: epoch - 1 })
  await everybodyHasRead(faults)
  t.strictSame(await slots().then(ownership), ownership(before), 'nothing is handed over')
  t.equal(await workerState(api, from), 'live', 'no worker drains')
  t.notMatch(await api.read('config'), { processes: [{ revision: 1_000 }] }, 'no fault is set')

  await send({ key: `slot/${slot}`, term: hints.term })
  await until('the same order of the present term is followed', async () =>
    (await slots()).some((each) => each.slot === slot && each.owner === other.owner),
  )
}

/** A fault is cleared once everybody has followed that: so has everybody read what was written before. */
async function everybodyHasRead(faults: Faults): Promise<void> {
  const fault = await faults.delay({ stage: 'worker.afterPoll', percentage: 0, fixedDelay: '1ms' })
  await fault.clear()
}

async function workerState(api: Api, worker: string): Promise<string | undefined> {
  const workers = await api.read<{ id: string; state: string }[]>('workers')
  return workers.find(({ id }) => id === worker)?.state
}

function ownership(slots: Owned[]): string[] {
  return slots.map(({ slot, owner, epoch }) => `${slot} ${owner} ${epoch}`)
}
