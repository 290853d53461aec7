/** What a person does with weights in a run, and what must come of them. */
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Cluster } from './cluster.ts'
import { outlierRule, watchEjected } from './ejections.ts'
import type { Seeded } from './seeded.ts'

/** The versions that share the slots. */
export const sharedVersions = ['v1', 'v2'] as const

/** Mean time between two changes of the weights, ms. */
const changeEveryMs = 800
/** Changes the weights of two versions now and then, through the leader, and looks that they hold. */
export class Weights {
  readonly #cluster: Cluster
  readonly #random: Seeded

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.random.fork('weights of versions')
  }

  /** Until `isOver`. */
  start(isOver: () => boolean): void {
    if (!this.#cluster.parameters.hasWeights) return
    watchEjected(this.#cluster)
    const next = () => {
      this.#cluster.scheduler.after(this.#random.between(0, changeEveryMs * 2), null, 'other weights', () => {
        if (isOver()) return
        this.#cluster.processes.apply([outlierRule(sharedVersions), serviceOf(this.#random.integer(0, 100))])
        next()
      })
    }
    next()
  }

  /** Which version does not have what the store says, to within one slot, or null. */
  get unrest(): string | null {
    const { parameters, processes, storeData } = this.#cluster
    if (!parameters.hasWeights) return null
    const document = storeData.sql.get("SELECT body FROM document WHERE kind = 'VirtualService'")
    if (typeof document?.['body'] !== 'string') return null
    const { spec } = JSON.parse(document['body']) as ReturnType<typeof serviceOf>
    const versions = processes.versions
    if (sharedVersions.some((version) => !versions.values().some((each) => each === version))) return null
    const leases = storeData.sql.all('SELECT slot, owner FROM lease') as unknown as { slot: SlotId; owner: string }[]
    for (const [group, slots] of Map.groupBy(leases, ({ slot }) => parseSlot(slot).group)) {
      for (const { destination, weight } of spec.ws[0]!.route) {
        const had = slots.filter(({ owner }) => versions.get(owner) === destination.subset).length
        const wanted = (slots.length * weight) / 100
        if (Math.abs(had - wanted) >= 1)
          return `${destination.subset} has ${had} slots of ${group}, and is to have ${wanted} of ${slots.length}`
      }
    }
    return null
  }
}

function serviceOf(weight: number) {
  const route = sharedVersions.map((subset, index) => ({
    destination: { subset },
    weight: index === 0 ? weight : 100 - weight,
  }))
  return {
    apiVersion: 'holdfast.dev/v1',
    kind: 'VirtualService',
    metadata: { name: 'chat' },
    spec: { ws: [{ route }] },
  }
}
