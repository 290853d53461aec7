/** Faults that operators set in a run, by the way that they have for it, and that must leave nothing behind. */
import { faultKinds, faultStages } from '../../protocol/records/fault.ts'
import type { FaultKind, FaultStage } from '../../protocol/records/fault.ts'
import type { Cluster } from './cluster.ts'
import { releasedVersions } from './release-resources.ts'
import type { Seeded } from './seeded.ts'

/** Mean time between two faults that are set, ms, and how long one lasts. */
const setEveryMs = 500
const lasts = ['300ms', '1s', '2500ms'] as const
/** Faults that are set at a time, at most: a later one takes the place of the first of its name. */
const namesMax = 3

const ofProxy: readonly FaultStage[] = ['proxy.onFrame', 'proxy.onSend', 'produce']

/** Sets faults and clears them through whoever leads, while other faults last. */
export class FaultRules {
  readonly #cluster: Cluster
  readonly #random: Seeded

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.random.fork('fault rules')
  }

  /** Until `isOver`. */
  start(isOver: () => boolean): void {
    if (!this.#cluster.parameters.hasFaultRules) return
    this.#cluster.scheduler.after(this.#random.between(0, setEveryMs * 2), null, 'a fault is set', () => {
      if (isOver()) return
      if (this.#random.chance(0.1)) this.#clear()
      else this.#set()
      this.start(isOver)
    })
  }

  heal(): void {
    if (this.#cluster.parameters.hasFaultRules) this.#clear()
  }

  /** Who still follows a fault, or where one is kept; null when nothing is left of any. */
  get unrest(): string | null {
    const { parameters, processes, storeData } = this.#cluster
    if (!parameters.hasFaultRules) return null
    const { faulty } = processes
    if (faulty !== null) return `${faulty} follows a fault`
    // One that comes back with an older store is nobody's until another controller leads.
    if (parameters.loss === 'store') return null
    const kept = storeData.sql.get("SELECT name FROM document WHERE kind = 'Fault' AND body IS NOT NULL")
    return kept === undefined ? null : `the fault ${String(kept['name'])} is over, and kept`
  }

  #set(): void {
    const name = `fault-${this.#random.integer(1, namesMax)}`
    const rule = this.#drawn()
    this.#cluster.processes.asLeader(`sets ${name} at ${rule.stage}`, (leader) => leader.faults.put(name, rule, 'ada'))
  }

  #clear(): void {
    this.#cluster.processes.asLeader('clears all faults', (leader) => leader.faults.clear(null, 'ada'))
  }

  #drawn(): { stage: FaultStage } & Record<string, unknown> {
    const random = this.#random
    const end = { seed: random.integer(0, 1_000), expiresAfter: random.pick(lasts) }
    if (this.#cluster.parameters.releases?.hasOutliers && random.chance(0.7)) return { ...stall(random), ...end }
    const stage = random.pick(faultStages)
    const isProxy = ofProxy.includes(stage)
    return {
      stage,
      ...this.#action(random.pick(faultKinds), stage, isProxy),
      // Some of them strike one version, which the others are to make up for.
      ...(!isProxy && random.chance(0.4) && { match: { version: { exact: random.pick(releasedVersions) } } }),
      ...end,
    }
  }

  #action(kind: FaultKind, stage: FaultStage, isProxy: boolean): object {
    const random = this.#random
    const share = (of: readonly number[]) => ({ percentage: { value: random.pick(of) } })
    switch (kind) {
      case 'delay':
        return { delay: { ...share([5, 30, 100]), fixedDelay: random.pick(['20ms', '200ms', '800ms']) } }
      case 'abort': {
        const closes = (stage === 'proxy.onFrame' || stage === 'proxy.onSend') && random.chance(0.3)
        return { abort: { ...share([2, 10, 50]), ...(closes && { wsCloseCode: 3_005 }) } }
      }
      case 'kill':
        return { kill: share(isProxy ? [0.5, 2] : [1, 5, 100]) }
    }
  }
}

/** Workers stand still in every batch: outliers, of which there may be more than may be ejected. */
function stall(random: Seeded): { stage: FaultStage; delay: object } {
  const stage = random.pick(['worker.afterPoll', 'worker.beforeCommit', 'db'] as const)
  return { stage, delay: { percentage: { value: 100 }, fixedDelay: random.pick(['200ms', '800ms']) } }
}
