import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import type { Test } from 'tap'
import { disconnects } from '../../../protocol/client/codes.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import type { Role } from '../../harness/processes/role.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { subscribeTimeout, transportClosed, unsubscribeError } from './close-codes.ts'

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

export interface StormOptions {
  /** Of the fleet. */
  name?: string
  /** How many; HOLDFAST_TEST_FAULTS sets another number. */
  faults: number
  /** The cluster has one. */
  engine: boolean
  seed?: number
  /** Goes on beside the faults, until they are over. */
  meanwhile?: (note: (text: string) => void, isOver: () => boolean) => Promise<void>
}

/**
 * A storm of random faults, one into the other: kills, freezes and drains of workers, kills and freezes of proxies,
 * of the controller and of the engine where there is one. HOLDFAST_TEST_SEED draws others.
 */
export function stormScenario(t: Test, cluster: Cluster, options: StormOptions): void {
  const { name = 'storm', seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? 1), meanwhile } = options
  const count = Number(process.env['HOLDFAST_TEST_FAULTS'] ?? options.faults)
  void t.test(`a storm of ${count} faults, seed ${seed}`, async (t) => {
    const [faults = []] = fc.sample(stormOf(count, options.engine), { seed, numRuns: 1 })
    await underLoad(t, cluster, name, async (fleet) => {
      const note = (text: string): void => fleet.note(text)
      note(`seed ${seed}`)
      const codes = [transportClosed, subscribeTimeout, unsubscribeError, disconnects.forceReconnect.code]
      const window = fleet.mayClose('the storm', codes)
      let isOver = false
      const beside = meanwhile?.(note, () => isOver)
      const struck: Promise<void>[] = []
      for (const fault of faults) {
        struck.push(strike(cluster, fault, note))
        await sleep(fault.restMs)
      }
      isOver = true
      await Promise.all([...struck, beside])
      await cluster.settled(2, 30_000)
      await fleet.connected(30_000)
      window.close()
    })
  })
}

function stormOf(count: number, withEngine: boolean): fc.Arbitrary<Fault[]> {
  const engine: Role[] = withEngine ? ['engine'] : []
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fault('kill', ['worker'], [0, 0]) },
      { weight: 3, arbitrary: fault('freeze', ['worker'], [100, 3_000]) },
      { weight: 2, arbitrary: fault('drain', ['worker'], [0, 0]) },
      { weight: 3, arbitrary: fault('kill', ['controller', 'proxy', ...engine], [0, 0]) },
      { weight: 2, arbitrary: fault('freeze', ['controller', 'proxy', ...engine], [100, 1_500]) },
    ),
    { minLength: count, maxLength: count },
  )
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

/** Does one fault; resolves when the process was let go. */
async function strike(cluster: Cluster, fault: Fault, note: (text: string) => void): Promise<void> {
  const { kind, role, pick, frozenMs } = fault
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
