import type { Test } from 'tap'
import type { Fleet } from '../../harness/clients/fleet.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'

/** Traffic flows again within this after a service is back. */
export const healedWithinMs = 15_000

/** All workers own their slots, and all clients are connected and subscribed, within this after a service is back. */
export const settledWithinMs = 30_000

/** So many more answers show that it flows. */
const answersAfter = 120

/** What may happen to clients while it lasts. */
export interface Outage {
  name: string
  /** Makes it and ends it: resolves when the service is there again. */
  run: () => Promise<void>
  /** Codes with which sockets may close meanwhile; none unless told. */
  codes?: number[]
}

/** Lets a service fail and come back under the load of a fleet, and waits until everything is as it was. */
export async function outage(
  t: Test,
  cluster: Cluster,
  fleet: Fleet,
  { name, run, codes = [] }: Outage,
): Promise<void> {
  const window = fleet.mayClose(name, codes)
  const startedAt = performance.now()
  fleet.note(`${name}: begins`)
  await run()
  fleet.note(`${name}: is over`)
  const endedAt = performance.now()
  await fleet.flows(answersAfter, healedWithinMs)
  const flowedAt = performance.now()
  await cluster.settled(2, settledWithinMs)
  await fleet.connected(settledWithinMs)
  window.close()
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
  const [lasted, flowed, settled] = [endedAt - startedAt, flowedAt - endedAt, performance.now() - endedAt]
  t.pass(
    `${name}: lasted ${seconds(lasted)}, ${answersAfter} more answers ${seconds(flowed)} later, settled ${seconds(settled)} later`,
  )
}
