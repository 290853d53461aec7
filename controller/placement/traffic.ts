/** A version, and how much of a group it is to have beside the others: weights need not add up to anything. */
export interface Share {
  version: string
  /** 0 or more. */
  weight: number
}

/** How the slots of a group are to be shared. */
export interface GroupTraffic {
  group: string
  /** At least one has a weight above 0. No version twice. */
  shares: readonly Share[]
  /** Whether a weight is a share of the slots, or of the commands that were measured in them. */
  weightBy: 'slots' | 'traffic'
}

/**
 * How a group is shared among versions of which some have no worker that can own a slot: the others have all of it, by
 * their weights, or evenly where none has one. Null when no version is able: then nothing moves, for whoever owns a slot
 * is better than nobody.
 */
export function ableTraffic(traffic: GroupTraffic, isAble: (version: string) => boolean): GroupTraffic | null {
  const able = traffic.shares.filter(({ version }) => isAble(version))
  if (able.length === 0) return null
  const hasWeight = able.some(({ weight }) => weight > 0)
  const shares = hasWeight ? able : able.map(({ version }) => ({ version, weight: 1 }))
  return { ...traffic, shares }
}

/** Versions that are to have something and have no able worker. */
export function missingVersions(traffic: readonly GroupTraffic[], isAble: (version: string) => boolean): Set<string> {
  const wanted = traffic.flatMap(({ shares }) => shares.filter(({ weight }) => weight > 0))
  return new Set(wanted.map(({ version }) => version).filter((version) => !isAble(version)))
}
