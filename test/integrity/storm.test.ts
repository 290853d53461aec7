// Proves with real processes, 200 real clients in 40 rooms and steady load: a storm of random faults, one into the
// other (kills, freezes and drains of workers, kills and freezes of controller and proxy, kills of the engine), leaves
// nothing lost, doubled, made up or out of order, and everything is well when it is over. HOLDFAST_TEST_SEED
// draws other faults, HOLDFAST_TEST_FAULTS sets how many.
import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import t from 'tap'
import { signalIfRunning, startCluster, type Role } from '../support/cluster.ts'
import { underLoad } from '../support/under-load.ts'

const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1)
const faultCount = Number(process.env['HOLDFAST_TEST_FAULTS'] ?? 20)

/** What a socket may close with while proxies die: transport closed, an (un)subscribe without answer, sent away. */
const closeCodes = [1, 3, 4, 3_011]

interface Fault {
  kind: 'kill' | 'freeze' | 'drain'
  role: Role
  /** Which process of the role. */
  pick: number
  /** How long a frozen one stays so. */
  frozenMs: number
  /** Rest before the next fault; shorter than most recoveries. */
  restMs: number
}

function fault(kind: Fault['kind'], roles: Role[], frozenMs: [min: number, max: number]): fc.Arbitrary<Fault> {
  return fc.record({
    kind: fc.constant(kind),
    role: fc.constantFrom(...roles),
    pick: fc.nat(1),
    frozenMs: fc.integer({ min: frozenMs[0], max: frozenMs[1] }),
    restMs: fc.integer({ min: 100, max: 2_000 }),
  })
}

const storm = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fault('kill', ['worker'], [0, 0]) },
    { weight: 3, arbitrary: fault('freeze', ['worker'], [100, 3_000]) },
    { weight: 2, arbitrary: fault('drain', ['worker'], [0, 0]) },
    { weight: 3, arbitrary: fault('kill', ['engine', 'controller', 'proxy'], [0, 0]) },
    { weight: 2, arbitrary: fault('freeze', ['controller', 'proxy', 'engine'], [100, 1_500]) },
  ),
  { minLength: faultCount, maxLength: faultCount },
)

const cluster = await startCluster()
t.teardown(() => cluster.stop())

/** Does one fault; resolves when the process was let go. */
async function strike({ kind, role, pick, frozenMs }: Fault, note: (text: string) => void): Promise<void> {
  const pids = await cluster.pids(role)
  const pid = pids[pick % Math.max(1, pids.length)]
  if (pid === undefined) return
  note(`${kind} ${role} ${pid} ${frozenMs}`)
  if (kind === 'kill') signalIfRunning(pid, 'SIGKILL')
  else if (kind === 'freeze') {
    signalIfRunning(pid, 'SIGSTOP')
    await sleep(frozenMs)
    signalIfRunning(pid, 'SIGCONT')
  } else {
    // It may be refused or fail half way, because of the other faults: what counts is what clients see.
    const workers = await cluster.workers().catch(() => [])
    const worker = workers.find((worker) => worker.pid === pid)
    if (worker !== undefined) await cluster.command('drain', 'worker', worker.id)
  }
}

void t.test(`a storm of ${faultCount} faults, seed ${seed}`, async (t) => {
  const [faults = []] = fc.sample(storm, { seed, numRuns: 1 })
  await underLoad(t, cluster, 'storm', async (fleet) => {
    fleet.note(`seed ${seed}`)
    const window = fleet.mayClose('the storm', closeCodes)
    const struck: Promise<void>[] = []
    for (const fault of faults) {
      struck.push(strike(fault, (text) => fleet.note(text)))
      await sleep(fault.restMs)
    }
    await Promise.all(struck)
    await cluster.settled(2, 30_000)
    await fleet.connected(30_000)
    window.close()
  })
})
