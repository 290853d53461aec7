// Proves that a cluster that is not ready says what it waits for, one thing at a time.
import t from 'tap'
import { waitsFor } from '../../../controller/api/readiness.ts'
import type { ClusterView } from '../../../controller/api/readiness.ts'

const ready: ClusterView = {
  isLeader: true,
  holder: null,
  slots: { total: 4, owned: 4 },
  workers: { live: 2, wanted: 2 },
  hasProxies: true,
}
const reason = (view: Partial<ClusterView>) => waitsFor({ ...ready, ...view })

t.equal(reason({}), null)
t.equal(reason({ workers: { live: 3, wanted: 2 } }), null, 'more is as good')
t.match(reason({ isLeader: false, slots: { total: 0, owned: 0 } }), 'the store has not said who leads')
t.match(reason({ isLeader: false, holder: { leader: 'c-1', leftMs: 2_900 } }), /controller c-1, .* 2900 ms/)
t.match(reason({ slots: { total: 0, owned: 0 } }), 'the first look at the slots')
t.match(reason({ slots: { total: 4, owned: 1 } }), '1 of 4')
t.match(reason({ workers: { live: 1, wanted: 2 } }), '1 of 2')
t.match(reason({ hasProxies: false }), 'a proxy')
