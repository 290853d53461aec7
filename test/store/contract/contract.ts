import type { Test } from 'tap'
import { channelsContract } from './channels.ts'
import { clusterContract } from './cluster.ts'
import { commitsContract } from './commits.ts'
import { leasesContract } from './leases.ts'
import type { Check, OpenStore } from './rows.ts'

export { channelOf, commitOf, messageOf, own, slot } from './rows.ts'

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
