import type { Test } from 'tap'
import { rejectedLengthMax } from '../../../cluster/followed-config.ts'
import { retellMs } from '../../../controller/faults/fault-book.ts'
import { LogError } from '../../../log/errors.ts'
import { configKey, encodeControl } from '../../../protocol/records/control.ts'
import { faultsMax } from '../../../protocol/records/fault.ts'
import type { Fault } from '../../../protocol/records/fault.ts'
import { appendBytesMax } from '../../../protocol/records/sizes.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { HintsInLog } from '../../harness/processes/hints.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

/** Settings of a cluster for these scenarios: a proxy beside `holdfast dev` takes faults too. */
export const configurationSettings = { HOLDFAST_FAULTS_ENABLED: 'on' }

/** A fault that is set all the time, and strikes nobody: who follows the configuration has it. */
const good = {
  stage: 'worker.afterPoll',
  match: { user: { exact: 'nobody' } },
  delay: { percentage: { value: 100 }, fixedDelay: '1ms' },
  expiresAfter: '30m',
}

/** As `GET /api/v1/config` has it. */
interface Configuration {
  revision: number
  processes: { id: string; role: string; revision: number | null; rejected: string | null }[]
}

/** What is forged in place of the configuration, and what every process says of it. */
interface Garbage {
  what: string
  value: (at: { term: number; revision: number }) => Buffer
  says: RegExp
}

const faulty = (faults: readonly unknown[]): Garbage['value'] => {
  return ({ term, revision }) =>
    encodeControl({ type: 'config', term, revision: revision + 1, faults: faults as Fault[] })
}
const struck: Fault = { name: 'x', stage: 'worker.afterPoll', abort: { percentage: 100 }, seed: 0 }

const garbage: readonly Garbage[] = [
  { what: 'no JSON', value: () => Buffer.from([0, 255, 254, 10]), says: /not JSON/ },
  {
    what: 'a record of a newer version that has another shape',
    value: ({ term, revision }) => Buffer.from(JSON.stringify({ type: 'config', term, revision, rules: {} })),
    says: /faults is not a list/,
  },
  {
    what: 'a record of a newer version with another name',
    value: ({ term, revision }) => Buffer.from(JSON.stringify({ type: 'settings', term, revision })),
    says: /unknown record settings/,
  },
  { what: 'faults that are none', value: faulty([{ ...struck, seed: 'much' }, null]), says: /seed is not a count/ },
  {
    what: 'as many faults as an append takes',
    value: (at) => {
      const few = faulty([struck])(at).length
      const each = JSON.stringify(struck).length + 1
      return faulty(Array.from({ length: Math.floor((appendBytesMax / 2 - few) / each) }, () => struck))(at)
    },
    says: new RegExp(`faults are too many, ${faultsMax}`),
  },
  {
    what: 'a name that is longer than a line',
    value: faulty([{ ...struck, match: { ['x'.repeat(100_000)]: {} } }]),
    says: new RegExp(`^x{${rejectedLengthMax}}$`),
  },
]

/** The configuration as it is told, and what stands in its place: processes follow the last good one that they heard of. */
export function configurationScenarios(t: Test, cluster: Cluster): void {
  void t.test('garbage in place of the configuration', (t) => isRejected(t, cluster))
  void t.test('a proxy that hears of no news for a while', (t) => isBehind(t, cluster))
}

/**
 * Whoever writes what is no configuration in its place changes nothing: every process keeps the last good one, says what it
 * rejects and counts it, and the leader puts the right one back. No client notices.
 */
async function isRejected(t: Test, cluster: Cluster): Promise<void> {
  await cluster.send('PUT', 'faults/good', good)
  await using hints = await HintsInLog.open(cluster)
  const agreed = () => until('all follow the leader', () => followers(cluster, 'agree'), retellMs * 3)
  const { revision, processes } = await agreed()
  await underLoad(t, cluster, 'config-garbage', async (fleet) => {
    for (const [index, { what, value, says }] of garbage.entries()) {
      fleet.note(what)
      const at = performance.now()
      await hints.forge(configKey, value({ term: hints.term, revision }))
      const seen = await until(`all reject ${what}`, () => followers(cluster, 'reject'))
      t.ok(
        seen.processes.every(({ rejected }) => says.test(rejected!)),
        `${what}: ${seen.processes[0]!.rejected!.slice(0, 80)}`,
      )
      t.equal(await following(cluster), seen.processes.length, 'each has the last good one')
      if (index === 0) await saysSo(t, cluster)
      const { processes: after } = await agreed()
      t.strictSame(idsOf(after), idsOf(processes), 'nobody has ended')
      t.comment(`${what}: put right after ${((performance.now() - at) / 1_000).toFixed(1)} s`)
    }
    t.equal(
      await cluster.counter('holdfast_config_rejects_total'),
      garbage.length * processes.length,
      'each was counted',
    )
    await t.rejects(hints.forge(configKey, Buffer.alloc(appendBytesMax * 2)), LogError, 'the log takes nothing larger')
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

/** Two configurations live side by side while somebody is behind; it follows when it hears again. */
async function isBehind(t: Test, cluster: Cluster): Promise<void> {
  const agreed = () => until('all follow the leader', () => followers(cluster, 'agree'))
  const before = await agreed()
  await underLoad(t, cluster, 'config-behind', async (fleet) => {
    const pid = (await cluster.pids('proxy')).at(-1)!
    const { id } = (await cluster.proxies()).find((proxy) => proxy.pid === pid)!
    process.kill(pid, 'SIGSTOP')
    fleet.note(`froze ${id}`)
    try {
      await cluster.send('PUT', 'faults/newer', good)
      const { revision, processes } = await until('all others to follow', async () => {
        const seen = await cluster.read<Configuration>('config')
        const others = seen.processes.filter((each) => each.id !== id)
        return others.every((each) => each.revision === seen.revision) && seen
      })
      t.ok(revision > before.revision)
      t.match(
        processes.find((each) => each.id === id),
        { revision: before.revision, rejected: null },
      )
      t.ok((await acknowledged(cluster)) < revision, 'who looks at metrics sees that not all follow')
      await fleet.flows()
    } finally {
      signalIfRunning(pid, 'SIGCONT')
    }
    t.strictSame(idsOf((await agreed()).processes), idsOf(before.processes), 'nobody has ended')
    t.ok(fleet.clear, 'no command missed its answer')
  })
}

/** The revision that every process has heard of, as the controller's metric has it. */
async function acknowledged(cluster: Cluster): Promise<number> {
  const groups = await cluster.read<{ targets: string[]; labels: { role: string } }[]>('prometheus/targets')
  const { targets } = groups.find(({ labels }) => labels.role === 'controller')!
  const text = await (await fetch(`http://${targets[0]}/metrics`)).text()
  return Number(/^holdfast_config_acked_version (\d+)$/m.exec(text)![1])
}

/** What an operator sees of it. */
async function saysSo(t: Test, cluster: Cluster): Promise<void> {
  const { stdout } = await cluster.command('get', 'config')
  t.match(stdout, /^revision \d+\n/)
  for (const role of ['proxy', 'worker', 'controller']) t.match(stdout, new RegExp(`${role} .*not JSON`))
}

/** What processes say, once all of them agree with the leader, or reject what they were told; null until then. */
async function followers(cluster: Cluster, how: 'agree' | 'reject'): Promise<Configuration | null> {
  const seen = await cluster.read<Configuration>('config')
  const agrees = ({ revision, rejected }: Configuration['processes'][number]) =>
    revision === seen.revision && rejected === null
  const isSo = seen.processes.every((each) => (how === 'agree' ? agrees(each) : each.rejected !== null))
  return isSo && seen.processes.length > 0 ? seen : null
}

/** Processes in which the good fault, and nothing else, is set. */
async function following(cluster: Cluster): Promise<number> {
  const lines = (await cluster.metrics()).split('\n')
  return lines.filter((line) => line === 'holdfast_faults_active 1').length
}

function idsOf(processes: Configuration['processes']): string[] {
  return processes.map(({ id }) => id).toSorted()
}
