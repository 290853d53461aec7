/** The one answer to whether a cluster's slots are owned, whichever way its leases are seen. */

/** What is looked at of a lease. */
export interface Owned {
  slot: string
  owner: string | null
}

/** Why not every slot has an owner, which is one of `owners` when they are given; null when each has. */
export function whyUnowned(leases: readonly Owned[], owners?: ReadonlySet<string>): string | null {
  if (leases.length === 0) return 'nobody has made the slots'
  const found = leases.find(({ owner }) => owner === null || owners?.has(owner) === false)
  return found === undefined ? null : `${found.slot} is not owned`
}
