/** Proves that durations are read as written, and that what is printed reads back as the same. */
import * as fc from 'fast-check'
import t from 'tap'
import { formatDuration, parseDuration } from '../../config/duration.ts'

void t.test('texts', async (t) => {
  const good: [string, number][] = [
    ['250ms', 250],
    ['5s', 5_000],
    ['1h', 3_600_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['0s', 0],
  ]
  for (const [text, ms] of good) t.equal(parseDuration(text), ms, text)
  for (const text of ['', '5', '5 s', '-5s', 's', '5d', '0.5ms', '1e3s', '99999999999999999h'])
    t.equal(parseDuration(text), undefined, text)
})

void t.test('what is printed reads back', async (t) => {
  fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms))
  t.equal(formatDuration(90_000), '90s')
})
