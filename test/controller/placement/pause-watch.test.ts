// Proves when slots move one at a time: after several hand-offs that took longer than they may, and for a while.
import t from 'tap'
import { PauseWatch, longPauses } from '../../../controller/placement/pause-watch.ts'

t.test('several long pauses make hand-offs slower, and a while without any faster again', async (t) => {
  const pauses = new PauseWatch()
  for (let left = longPauses.max - 1; left > 0; left -= 1) t.notOk(pauses.note(300, 250, 1_000))
  t.notOk(pauses.note(200, 250, 1_000), 'one that is short enough does not count')
  t.notOk(pauses.isSlow(1_000))
  t.ok(pauses.note(300, 250, 2_000))
  t.ok(pauses.isSlow(2_000))
  t.notOk(pauses.note(300, 250, 3_000), 'it is said once')
  t.notOk(pauses.isSlow(3_000 + longPauses.slowMs))
})

t.test('long pauses that are far apart, or without a bound, do not count', async (t) => {
  const pauses = new PauseWatch()
  for (let at = 0; at < 10; at += 1) {
    t.notOk(pauses.note(300, 250, at * longPauses.windowMs))
    t.notOk(pauses.note(300, null, at))
  }
})
