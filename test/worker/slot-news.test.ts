/** Proves that however many slots come and go, a worker tells it in one line once that has settled. */
import t from 'tap'
import type { SlotId } from '../../protocol/slot.ts'
import { slotId } from '../../protocol/slot.ts'
import { SlotNews, newsWaitMaxMs } from '../../worker/slot-news.ts'
import { notingLogger } from '../support/loggers.ts'
import { ManualClock } from '../support/manual-clock.ts'

function listened(level: string) {
  const { lines, logger } = notingLogger(level)
  const clock = new ManualClock()
  return { clock, lines, news: new SlotNews({ clock, logger }) }
}

const takenOf = (slot: SlotId, pauseMs = 0) => ({ slot, epoch: 1, kind: 'planned' as const, pauseMs })
const sixteen = Array.from({ length: 16 }, (_, partition) => slotId('default', partition))

void t.test('one line when it has settled', async (t) => {
  const { lines, news } = listened('info')
  news.look(0)
  sixteen.forEach((slot, index) => news.taken(takenOf(slot, index)))
  news.look(16)
  t.same(lines, [], 'more may come')
  news.look(16)
  news.look(16)
  t.match(lines, [{ taken: 16, left: 0, owned: 16, pauseMaxMs: 15, msg: 'slots' }])
  t.equal(lines.length, 1)
  for (const slot of sixteen) news.left(slot, 1, 'released')
  news.tell(0)
  t.match(lines[1], { taken: 0, left: 16, owned: 0, pauseMaxMs: 0 })
})

void t.test('what never settles is told now and then', async (t) => {
  const { clock, lines, news } = listened('info')
  for (let waitedMs = 0; waitedMs <= 2 * newsWaitMaxMs + 1_000; waitedMs += 500) {
    news.taken(takenOf('default/0'))
    news.look(1)
    clock.advance(500)
  }
  t.equal(lines.length, 2)
})

void t.test('each slot at debug', async (t) => {
  const { lines, news } = listened('debug')
  news.taken(takenOf('default/3'))
  news.left('default/3', 1, 'fenced')
  news.tell(0)
  t.match(lines, [{ msg: 'slot taken', slot: 'default/3' }, { msg: 'slot left', end: 'fenced' }, { msg: 'slots' }])
})
