import type { Test } from 'tap'
import { follow } from '../../../cluster/follow.ts'
import { openLog } from '../../../cluster/open-log.ts'
import type { Log, LogReader } from '../../../log/log.ts'
import { decodeControl } from '../../../protocol/records/control.ts'
import { decodeStatus } from '../../../protocol/records/status.ts'
import { controlTopic, statusTopic } from '../../../protocol/records/topics.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { ControllerPair } from '../../harness/processes/controller-pair.ts'
import { Canary, pausedAt, returned, rolloutOf, slowHandoffs } from '../../harness/processes/rollout.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'

/** Settings of a cluster for these scenarios: the second controller is none of `holdfast dev`. */
export const handoffStageSettings = { HOLDFAST_FAULTS_ENABLED: 'on' }

/** A room stands still for no longer than this, whenever the controller dies. */
const standsStillMaxMs = 3_000

/** What is said of a hand-off, in its order. */
const stages = ['hinted', 'warmed', 'released', 'acquired'] as const
type Stage = (typeof stages)[number]

/** Who is frozen meanwhile, so that a hand-off comes no further than to a stage. */
const frozen: Record<Stage, 'successor' | 'owner' | null> = {
  hinted: 'successor',
  warmed: 'owner',
  released: 'successor',
  acquired: null,
}

/** Kills the leader at each stage of a hand-off, under load: it comes about, and the rollout goes on. */
export function handoffStageScenarios(t: Test, cluster: Cluster): void {
  void t.test('the controller that leads is killed at every stage of a hand-off', async (t) => {
    const pair = await ControllerPair.start(cluster)
    await slowHandoffs(pair)
    await using v2 = await Canary.start(cluster)
    void v2
    await underLoad(t, cluster, 'handoff-stages', async (fleet) => {
      for (const stage of stages) {
        await using handoffs = await Handoffs.follow(cluster)
        fleet.note(`killed when a hand-off was ${stage}`)
        const name = `handoff-${stage}`
        const pid = await pair.leader()
        const processes = await processesOf(pair)
        const killed = handoffs.at(stage, processes, () => process.kill(pid, 'SIGKILL'))
        await pair.send('POST', 'resources', { resources: [rolloutOf(name, [{ setWeight: 50 }, { pause: {} }])] })
        const { slot, epoch, seen } = await killed
        t.strictSame(seen, stages.slice(0, stages.indexOf(stage) + 1), `the hand-off of ${slot} had come so far`)
        const { kind, pauseMs } = await until('it to come about', () => handoffs.acquired(slot, epoch))
        t.ok(kind === 'planned' && pauseMs < standsStillMaxMs, `${stage}: ${slot} stood still for ${pauseMs} ms`)
        await pair.followed()
        await pausedAt(t, pair, name, 50)
        await pair.send('POST', `rollouts/${name}/abort`, {})
        await returned(pair, name)
        await pair.send('POST', 'resources/delete', { names: [{ kind: 'Rollout', name }] })
      }
      t.ok(fleet.clear, 'no command missed its answer')
    })
  })
}

/** Process ids by the ids of workers. */
async function processesOf(pair: ControllerPair): Promise<ReadonlyMap<string, number>> {
  const workers = await pair.read<{ id: string; pid: number }[]>('workers')
  return new Map(workers.map(({ id, pid }) => [id, pid]))
}

interface Acquired {
  slot: string
  epoch: number
  kind: 'planned' | 'takeover'
  pauseMs: number
}

/** A hand-off at the moment at which it came to a stage. */
interface Reached {
  slot: string
  /** Of the lease before it. */
  epoch: number
  /** What was said of it until then. */
  seen: Stage[]
}

interface Move {
  slot: string
  epoch: number
  from: string
  to: string
  seen: Stage[]
}

/** What is said of hand-offs in the log from now on. */
class Handoffs implements AsyncDisposable {
  readonly #log: Log
  readonly #readers: LogReader[]
  readonly #following: Promise<unknown>
  readonly #acquired: Acquired[] = []
  #move: Move | null = null
  #told: (stage: Stage, move: Move) => void = () => {}

  private constructor(log: Log, control: LogReader, status: LogReader) {
    this.#log = log
    this.#readers = [control, status]
    this.#following = Promise.all([
      follow(control, (records) => {
        for (const { value } of records) this.#hinted(value)
      }),
      follow(status, (records) => {
        for (const { value } of records) this.#announced(value)
      }),
    ])
  }

  static async follow({ logUrl }: Cluster): Promise<Handoffs> {
    const log = await openLog(logUrl)
    const [control, status] = await Promise.all([log.range(controlTopic, 0), log.range(statusTopic, 0)])
    return new Handoffs(log, log.read(controlTopic, 0, control.next), log.read(statusTopic, 0, status.next))
  }

  /** Calls `act` when the first hand-off comes to a stage; until then it can come no further. */
  at(stage: Stage, processes: ReadonlyMap<string, number>, act: () => void): Promise<Reached> {
    const { promise, resolve } = Promise.withResolvers<Reached>()
    this.#told = (now, { slot, epoch, from, to, seen }) => {
      const held = processes.get(frozen[stage] === 'owner' ? from : to)!
      // Whoever would go on from the stage stands still from before it.
      if (frozen[stage] !== null && now === (stage === 'released' ? 'warmed' : 'hinted')) process.kill(held, 'SIGSTOP')
      if (now !== stage) return
      this.#told = () => {}
      act()
      signalIfRunning(held, 'SIGCONT')
      resolve({ slot, epoch, seen: [...seen] })
    }
    return promise
  }

  /** How the hand-off of a slot from an epoch came about; null until it has. */
  acquired(slot: string, epoch: number): Acquired | null {
    return this.#acquired.find((each) => each.slot === slot && each.epoch > epoch) ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) reader.close()
    await this.#following
    await this.#log.close()
  }

  #hinted(value: Buffer): void {
    const record = decodeControl(value)
    if (record.type !== 'move' || this.#move !== null || record.from === null || record.to === null) return
    const { slot, epoch, from, to } = record
    this.#move = { slot, epoch, from, to, seen: [] }
    this.#tell('hinted')
  }

  #announced(value: Buffer): void {
    const record = decodeStatus(value)
    if (record.type === 'acquired') this.#acquired.push(record)
    if (record.type !== 'warmed' && record.type !== 'released' && record.type !== 'acquired') return
    if (record.slot === this.#move?.slot) this.#tell(record.type)
  }

  #tell(stage: Stage): void {
    const move = this.#move!
    move.seen.push(stage)
    this.#told(stage, move)
  }
}
