/** Proves that restarts slow down only for a process that keeps dying young, and never much for one that did work. */
import t from 'tap'
import { BackOff, backOffMaxMs, backOffReadyMaxMs, shortLifeMs } from '../../../cli/dev/back-off.ts'

void t.test('the first restart is immediate, then the wait doubles up to its bound', async (t) => {
  const backOff = new BackOff()
  const delays = Array.from({ length: 9 }, () => backOff.delayMs({ livedMs: 10, wasReady: false }))
  t.same(delays, [0, 100, 200, 400, 800, 1_600, 3_200, backOffMaxMs, backOffMaxMs])
})

void t.test('a long life makes the next restart immediate', async (t) => {
  const backOff = new BackOff()
  for (let i = 0; i < 5; i++) backOff.delayMs({ livedMs: 10, wasReady: false })
  t.equal(backOff.delayMs({ livedMs: shortLifeMs, wasReady: true }), 0)
  t.equal(backOff.delayMs({ livedMs: 10, wasReady: true }), 100)
})

void t.test('a process that served before it was killed is back soon, however often', async (t) => {
  const backOff = new BackOff()
  for (let i = 0; i < 50; i++) t.ok(backOff.delayMs({ livedMs: 900, wasReady: true }) <= backOffReadyMaxMs)
})
