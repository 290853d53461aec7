import type { Holder } from '../leading/leadership.ts'

/** What a controller sees of its cluster. */
export interface ClusterView {
  isLeader: boolean
  /** Another controller that leads, when it is known. */
  holder: Holder | null
  slots: { total: number; owned: number }
  workers: { live: number; wanted: number }
  hasProxies: boolean
}

/** What keeps a cluster from being ready, in words for a person; null when it is. */
export function waitsFor({ isLeader, holder, slots, workers, hasProxies }: ClusterView): string | null {
  if (!isLeader) {
    if (holder === null) return 'a leading controller: the store has not said who leads'
    return `controller ${holder.leader}, which leads for ${holder.leftMs} ms more unless it goes on`
  }
  if (workers.live < workers.wanted) return `workers: ${workers.live} of ${workers.wanted} are there`
  if (slots.total === 0) return 'the first look at the slots'
  if (slots.owned < slots.total) return `owners for slots: ${slots.owned} of ${slots.total} have one`
  return hasProxies ? null : 'a proxy'
}
