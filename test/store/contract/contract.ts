import type { Test } from 'tap'
import { channelsContract } from './channels.ts'
import { clusterContract } from './cluster.ts'
import { commitsContract } from './commits.ts'
import { documentsContract } from './documents.ts'
import { leasesContract } from './leases.ts'
import type { Check, MadeStore } from './rows.ts'

export { channelOf, commitOf, messageOf, own, slot } from './rows.ts'

/** What every store must do, whatever it is made of. `make` gives a new and empty one. */
export function storeContract(t: Test, name: string, make: (t: Test) => Promise<MadeStore>): void {
  const check: Check = (what, run) => {
    void t.test(`${name}: ${what}`, async (t) => {
      const made = await make(t)
      const store = made.open()
      await store.migrate()
      await store.createGroup('default', 2, 'origin')
      await run(t, store, made.open, made)
    })
  }
  leasesContract(check)
  commitsContract(check)
  channelsContract(check)
  clusterContract(check)
  documentsContract(check)
}
