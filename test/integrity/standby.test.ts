/**
 * Proves with real processes, 200 clients and steady load: of two controllers one leads, and the other takes over within
 * five seconds when the first is killed or frozen. It acts, for the slots of a killed worker go to others; the first, once
 * it wakes, changes nothing by what it still believes. No socket closes and the checker finds nothing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../compose/services/free-port.ts'
import { readyDeadlineMs, startCluster } from '../harness/processes/cluster.ts'
import { underLoad } from '../harness/processes/under-load.ts'
import { signalIfRunning } from '../support/process-table.ts'
import { until } from '../support/until.ts'

/** What an operator is promised; the machine that tests run on is busy. */
const takeoverMs = 5_000

const cluster = await startCluster()
t.teardown(() => cluster.stop())
const port = await freePort()
const standby = cluster.start('controller', '--port', String(port))
await standby.line('controller is up', readyDeadlineMs)

async function leads(at: number): Promise<boolean> {
  const token = readFileSync(join(cluster.dataDirectory, 'controller.read_token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}` }
  const url = `http://127.0.0.1:${at}/api/v1/status`
  const init = { headers, signal: AbortSignal.timeout(1_000) }
  return fetch(url, init).then(
    async (answer) => ((await answer.json()) as { leader: boolean }).leader,
    () => false,
  )
}

void t.test('a leader that is frozen is followed', async (t) => {
  t.equal(await leads(cluster.controllerPort), true)
  t.equal(await leads(port), false)
  const pids = await cluster.pids('controller')
  const first = pids.find((pid) => pid !== standby.pid)!
  await underLoad(t, cluster, 'standby-frozen', async (fleet) => {
    const [victim] = await cluster.settled()
    process.kill(first, 'SIGSTOP')
    const frozenAt = performance.now()
    fleet.note('froze the leader')
    try {
      await until('the other one leads', () => leads(port), takeoverMs)
      t.comment(`the other one leads ${(performance.now() - frozenAt).toFixed(0)} ms after the first was frozen`)
      process.kill(victim!.pid, 'SIGKILL')
      fleet.note(`killed ${victim!.id}`)
      await fleet.flows()
    } finally {
      signalIfRunning(first, 'SIGCONT')
    }
    fleet.note('woke the first')
    await fleet.flows()
    t.equal(await leads(port), true, 'the other one goes on')
    t.equal(await leads(cluster.controllerPort), false)
    t.ok(fleet.clear, 'no command missed its answer')
  })
})

void t.test('a leader that is killed is followed', async (t) => {
  await underLoad(t, cluster, 'standby-killed', async (fleet) => {
    const killedAt = performance.now()
    process.kill(standby.pid, 'SIGKILL')
    fleet.note('killed the leader')
    await until('the other one leads', () => leads(cluster.controllerPort), takeoverMs)
    t.comment(`the other one leads ${(performance.now() - killedAt).toFixed(0)} ms after the leader was killed`)
    const [victim] = await cluster.settled()
    process.kill(victim!.pid, 'SIGKILL')
    await until('others have its slots', async () =>
      (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim!.id),
    )
    await fleet.flows()
    t.ok(fleet.clear, 'no command missed its answer')
  })
})
