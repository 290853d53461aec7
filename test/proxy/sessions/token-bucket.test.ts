/** Proves the bucket that commands and reads are counted with: a burst at once, and in the long run the rate. */
import * as fc from 'fast-check'
import t from 'tap'
import { takeToken } from '../../../proxy/sessions/token-bucket.ts'
import { holds } from '../../support/holds.ts'

void t.test('a bucket lets its burst through, and in the long run its rate', async (t) => {
  const arrivals = fc.array(fc.nat({ max: 400 }), { maxLength: 60, size: 'max' })
  holds(
    t,
    fc.property(arrivals, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 20 }), (gaps, rate, burst) => {
      const bucket = { tokens: burst, at: 0 }
      let now = 0
      let taken = 0
      for (const gap of gaps) {
        now += gap
        if (takeToken(bucket, now, rate, burst)) taken++
        // A rounding error of the sums is no token.
        if (taken > burst + (now / 1000) * rate + 1e-6) return false
      }
      return taken >= Math.min(gaps.length, burst)
    }),
  )
  const bucket = { tokens: 2, at: 0 }
  t.strictSame(
    [0, 0, 0, 99, 100, 101].map((now) => takeToken(bucket, now, 10, 2)),
    [true, true, false, false, true, false],
  )
})
