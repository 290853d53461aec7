/** Proves how what is left of a time is written. */
import t from 'tap'
import { timeLeft } from '../../../cli/output/time-left.ts'

void t.test('hours, minutes and seconds, those that are none left out', async (t) => {
  for (const [ms, text] of [
    [0, '0s'],
    [1, '1s'],
    [59_000, '59s'],
    [598_001, '9m59s'],
    [600_000, '10m'],
    [3_600_000, '1h'],
    [3_601_000, '1h1s'],
    [90_061_000, '25h1m1s'],
  ] as const)
    t.equal(timeLeft(ms), text, `${ms} ms`)
})
