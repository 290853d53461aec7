import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import { isStuck } from '../members/members.ts'
import type { Members } from '../members/members.ts'
import type { Unable } from './able.ts'
import type { GroupTraffic } from './traffic.ts'

/** The cluster at one moment, as far as placing slots needs to know it. */
export interface Snapshot extends Unable {
  /** Without those of owners that are silent and not dead yet: they are left alone. */
  leases: Lease[]
  /** Live workers by id, in a stable order. */
  workers: WorkerBeat[]
  /** Slots that their live owners do not have. */
  lost: ReadonlySet<SlotId>
  /** Version that owns slots where `traffic` does not say otherwise, null before the first. */
  serving: string | null
  /** Groups that are shared among versions. */
  traffic: readonly GroupTraffic[]
  /** Commands a second of each slot, as far as they are known. */
  rates: ReadonlyMap<SlotId, number>
  /** Monotonic ms. */
  now: number
}

/** How slots are to be shared, how busy they are, and who is not to have any. */
export type Sharing = Pick<Snapshot, 'traffic' | 'rates' | 'ejected' | 'unfit'>

/** What was seen in the store: leases, and the version that owns slots; and how slots are to be shared. */
export interface StoreView extends Sharing {
  leases: Lease[]
  serving: string | null
}

/** Puts together what the store and the announcements tell. Pure. */
export function takeSnapshot(
  { leases, serving, ...sharing }: StoreView,
  members: Members,
  lost: ReadonlySet<SlotId>,
  deathMs: number,
  now: number,
): Snapshot {
  const workers = members.workers().map(({ beat }) => beat)
  const stuck = new Set(workers.filter((worker) => isStuck(worker, workers, deathMs)).map(({ id }) => id))
  // An owner that has not been heard of yet, after a restart of this controller, is given its time.
  const live = new Set(workers.map(({ id }) => id))
  const isKnown = (owner: string) => live.has(owner) || members.isDead(owner, deathMs, now)
  const settled = leases.filter(({ owner }) => owner === null || isKnown(owner))
  return { leases: settled, workers, stuck, lost, serving, ...sharing, now }
}
