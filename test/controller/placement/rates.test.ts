// Proves how busy a slot counts as: by how far its owners come, whoever they are.
import t from 'tap'
import { rateWindowMs, SlotRates } from '../../../controller/placement/rates.ts'
import { workerBeat } from '../beats.ts'

const beat = (nextOffset: number, incarnation = 0) =>
  workerBeat('a', 'v1', { slots: [{ slot: 'default/0', epoch: 1, incarnation, nextOffset, waitingMs: 0 }] })

t.test('a rate is what came between two heartbeats, and then a mean', async (t) => {
  const rates = new SlotRates()
  rates.note(beat(100), 0)
  t.equal(rates.all.size, 0, 'nothing is known before the second')
  rates.note(beat(200), 1_000)
  t.equal(rates.all.get('default/0'), 100)
  rates.note(beat(200), 2_000)
  const after = rates.all.get('default/0')!
  t.ok(after > 90 && after < 100, 'one quiet second changes little')
  rates.note(beat(200), 2_000 + 10 * rateWindowMs)
  t.ok(rates.all.get('default/0')! < 1, 'a long quiet time changes all')
})

t.test('a log that was set back is no traffic', async (t) => {
  const rates = new SlotRates()
  rates.note(beat(100), 0)
  rates.note(beat(200), 1_000)
  rates.note(beat(50), 2_000)
  rates.note(beat(1_000_000, 1), 3_000)
  t.equal(rates.all.get('default/0'), 100)
  rates.note(beat(1_000_100, 1), 4_000)
  t.equal(rates.all.get('default/0'), 100)
})
