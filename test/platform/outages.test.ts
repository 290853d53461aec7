/** Proves that an outage is told once when it begins and once when it is over, however often it is met. */
import t from 'tap'
import { Outages, outageQuietMs } from '../../platform/outages.ts'

void t.test('an outage is told once, and again while it lasts', async (t) => {
  let nowMs = 0
  const told: string[] = []
  const outages = new Outages(
    { away: (what, error) => told.push(`away ${what}: ${error.message}`), back: (what) => told.push(`back ${what}`) },
    () => nowMs,
  )
  outages.answered('one')
  for (let tries = 0; tries < 100; tries += 1) outages.lost('one', new Error('no answer'))
  outages.lost('other', new Error('refused'))
  t.same(told.splice(0), ['away one: no answer', 'away other: refused'])
  outages.answered('one')
  outages.answered('one')
  t.same(told.splice(0), ['back one'])
  outages.lost('one', new Error('no answer'))
  outages.answered('one')
  t.same(told, [], 'what flaps is not told each time')
  nowMs += outageQuietMs
  outages.lost('one', new Error('still none'))
  outages.lost('other', new Error('still refused'))
  t.same(told, ['away one: still none', 'away other: still refused'])
})
