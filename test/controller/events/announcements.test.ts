// Proves which announcements are news: who comes, goes and changes state, and slots that move; never what is said all
// the time.
import t from 'tap'
import { newsOf } from '../../../controller/events/announcements.ts'
import type { Heartbeat } from '../../../protocol/records/heartbeat.ts'
import { slotId } from '../../../protocol/slot.ts'
import { workerBeat } from '../beats.ts'

const beat = workerBeat('w-1', 'v1')
const nobody = { beatOf: () => null, hasLeft: () => false }
const known = (before: Heartbeat) => ({ beatOf: () => before, hasLeft: () => false })

void t.test('members', async (t) => {
  t.same(newsOf(beat, nobody), { type: 'joined', data: { role: 'worker', id: 'w-1', version: 'v1', state: 'live' } })
  t.equal(newsOf(beat, known(beat)), null, 'it only says that it lives')
  t.match(newsOf({ ...beat, state: 'draining' }, known(beat)), {
    type: 'state',
    data: { state: 'draining', was: 'live' },
  })
  t.equal(newsOf(beat, { beatOf: () => null, hasLeft: () => true }), null, 'the last heartbeat came after its farewell')
  const left = { type: 'left', role: 'worker', id: 'w-1' } as const
  t.same(newsOf(left, known(beat)), { type: 'left', data: { role: 'worker', id: 'w-1' } })
  t.equal(newsOf(left, nobody), null)
})

void t.test('slots', async (t) => {
  const slot = slotId('default', 1)
  const acquired = {
    type: 'acquired',
    slot,
    epoch: 2,
    worker: 'w-1',
    from: null,
    kind: 'takeover',
    pauseMs: 3,
  } as const
  t.same(newsOf(acquired, nobody), {
    type: 'acquired',
    data: { slot, epoch: 2, worker: 'w-1', from: null, kind: 'takeover', pause_ms: 3 },
  })
  t.equal(newsOf({ type: 'warmed', slot, epoch: 2, worker: 'w-1' }, nobody), null)
})
