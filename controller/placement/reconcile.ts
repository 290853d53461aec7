import type { WorkerBeat } from '../../protocol/records/heartbeat.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Lease } from '../../store/store.ts'
import { ableWorkers } from './able.ts'
import { placeTraffic } from './place-traffic.ts'
import type { Snapshot } from './snapshot.ts'

/** A move under way, as it was hinted. */
export interface PendingMove {
  slot: SlotId
  epoch: number
  from: string | null
  to: string | null
  /** Monotonic ms: when it was hinted, or since when it is only to be taken. */
  since: number
  /** Its owner has let go, so that it stands still: nobody is to be patient any more. */
  isLetGo?: boolean
}

/** What a plan is made from: the cluster as it is seen, and the moves that are under way. */
export interface ReconcileInput extends Snapshot {
  pending: ReadonlyMap<SlotId, PendingMove>
}

/** What is to be done, in the order of `moves`. */
export interface Plan {
  /** Version that should serve from now on, when it is another one. */
  serving: string | null
  moves: PendingMove[]
  /** Pending moves that are done or pointless. */
  finished: SlotId[]
  /** Pending moves as they are from now on: their owners have let go. */
  letGo: PendingMove[]
}

/** A move that has not come about after this time, beside what its owner and its successor are given, is planned anew. */
export const moveTimeoutMs = 5_000

/** How many hand-offs there may be at a time, and how much longer than usual one may take (ms). */
export interface MoveLimits {
  parallelMax: number
  patienceMs: number
}

/** What the controller does next, given what it sees. Pure. */
export function reconcile(view: ReconcileInput, { parallelMax, patienceMs }: MoveLimits): Plan {
  const live = new Map(view.workers.map((worker) => [worker.id, worker]))
  const able = ableWorkers(view.workers, view)
  const serving = servingVersion(view.serving, able)
  const finished = view.leases.filter((lease) => isFinished(view, lease, live, patienceMs)).map(({ slot }) => slot)
  const pending = new Map([...view.pending].filter(([slot]) => !finished.includes(slot)))

  const letGo = view.leases.flatMap(({ slot, owner }) => {
    const move = pending.get(slot)
    const isNews = owner === null && move !== undefined && move.from !== null && move.to !== null && !move.isLetGo
    return isNews ? [{ ...move, since: view.now, isLetGo: true }] : []
  })

  // Slots on their way count where they are going.
  const owners = new Map(view.leases.map((lease) => [lease.slot, pending.get(lease.slot)?.to ?? lease.owner]))
  const wanted = placeTraffic({ owners, workers: able, traffic: view.traffic, rates: view.rates, serving })
  let handOffs = [...pending.values()].filter((move) => move.from !== null && move.to !== null).length
  const moves: PendingMove[] = []
  const rateOf = ({ slot }: Lease) => view.rates.get(slot) ?? 0
  for (const { slot, owner, epoch } of view.leases.toSorted((a, b) => rateOf(a) - rateOf(b))) {
    if (pending.has(slot)) continue
    const to = wanted.get(slot) ?? null
    if (to === owner && !view.lost.has(slot)) continue
    const holder = owner === null ? undefined : live.get(owner)
    const canLetGo = holder !== undefined && !view.stuck.has(holder.id) && !view.lost.has(slot)
    if (to === null) {
      // Nobody is left to take it: a draining owner lets go all the same.
      if (canLetGo && holder.state !== 'live') moves.push({ slot, epoch, from: owner, to, since: view.now })
      continue
    }
    if (canLetGo && handOffs >= parallelMax) continue
    if (canLetGo) handOffs++
    moves.push({ slot, epoch, from: canLetGo ? owner : null, to, since: view.now })
  }
  return { serving: serving === view.serving ? null : serving, moves, finished, letGo }
}

/** The serving version stays while a worker of it can serve; otherwise the first other one takes over. */
function servingVersion(serving: string | null, able: WorkerBeat[]): string | null {
  if (able.length === 0 || able.some((worker) => worker.version === serving)) return serving
  return able[0]!.version
}

function isFinished(
  { pending, lost, now }: ReconcileInput,
  lease: Lease,
  live: ReadonlyMap<string, WorkerBeat>,
  patienceMs: number,
): boolean {
  const move = pending.get(lease.slot)
  if (!move) return false
  // Only where one hands over to another is there somebody to warm up, and a batch to finish.
  const timeoutMs = moveTimeoutMs + (move.from === null || move.to === null || move.isLetGo ? 0 : patienceMs)
  if (lease.epoch !== move.epoch || now - move.since > timeoutMs) return true
  // One that was lost, and found by its owner before it was taken anew.
  if (move.to !== null && lease.owner === move.to && !lost.has(lease.slot)) return true
  // The owner died while its letting go was awaited, or does not have the slot.
  if (move.from !== null && (!live.has(move.from) || lost.has(lease.slot))) return true
  if (move.to === null) return lease.owner === null
  const successor = live.get(move.to)
  return !successor || successor.state !== 'live'
}
