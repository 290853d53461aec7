import type { Test } from 'tap'
import { channelsContract } from './store-channels.ts'
import { clusterContract } from './store-cluster.ts'
import { commitsContract } from './store-commits.ts'
import { leasesContract } from './store-leases.ts'
import type { Check, OpenStore } from './store-rows.ts'

export { channelOf, commitOf, messageOf, own, slot } from './store-rows.ts'

/** What every store must do, whatever it is made of. `make` gives a new and empty one. */
export function storeContract(t: Test, name: string, make: (t: Test) => Promise<OpenStore>): void {
  const check: Check = (what, run) => {
    void t.test(`${name}: ${what}`, async (t) => {
      const open = await make(t)
      const store = open()
      await store.migrate()
      await store.createGroup('default', 2, 'origin')
      await run(t, store, open)
    })
  }
  leasesContract(check)
  commitsContract(check)
  channelsContract(check)
  clusterContract(check)
}
