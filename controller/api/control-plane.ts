import type { ProxyBeat } from '../../protocol/records/heartbeat.ts'
import type { Lease } from '../../store/store.ts'
import type { Events } from '../events/events.ts'
import type { FaultBook } from '../faults/fault-book.ts'
import type { Holder } from '../leading/leadership.ts'
import type { Member, Members } from '../members/members.ts'
import type { Unable } from '../placement/able.ts'
import type { Drains } from '../placement/drains.ts'
import type { Placement } from '../placement/placement.ts'
import type { GroupView } from '../placement/traffic-view.ts'
import type { Resources } from '../resources/resources.ts'
import type { Rollouts } from '../rollouts/rollouts.ts'

/** The control plane as its callers see it. */
export interface ControlPlane {
  readonly members: Members
  readonly drains: Pick<Drains, 'pausesOf' | 'workersOf'>
  readonly faults: FaultBook
  readonly resources: Resources
  readonly placement: Pick<Placement, 'ejected'>
  /** Who cannot own slots, as last looked at. */
  readonly unable: Unable
  readonly rollouts: Pick<Rollouts, 'rooms' | 'views' | 'view' | 'order' | 'reports' | 'versionsWanted'>
  readonly events: Events
  /** As they were last looked at. */
  readonly leases: Lease[]
  /** Version that owns slots, null before the first. */
  readonly serving: string | null
  /** Slots with a live owner. */
  readonly ownedSlots: number
  readonly isLeader: boolean
  /** The last one led in; of use only while it leads. */
  readonly term: number
  /** Another controller that leads, when the store has said so. */
  readonly holder: Holder | null
  /** Proxies that are there right now. */
  liveProxies(): Member<ProxyBeat>[]
  /** How slots are to be shared among versions, and are. */
  traffic(): GroupView[]
  /** Lets the slots of all these workers of a version be taken over. */
  drainVersion(version: string, workers: readonly string[]): void
  /** Lets a worker's slots be taken over. */
  drain(worker: string): void
}
