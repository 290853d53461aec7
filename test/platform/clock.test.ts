/** Proves that the system's clock waits as long as it is told to, also for longer than one timer of Node can. */
import { mock } from 'node:test'
import * as fc from 'fast-check'
import t from 'tap'
import { systemClock, timerMaxMs } from '../../platform/clock.ts'

const yearMs = 8_760 * 3_600_000

const waits = fc.oneof(
  fc.integer({ min: 1, max: yearMs }),
  fc.constantFrom(1, timerMaxMs - 1, timerMaxMs, timerMaxMs + 1, 2 * timerMaxMs, 2 * timerMaxMs + 1, yearMs),
)

/** Runs `use` on a clock that only `tick` moves. */
function onMockedTimers(use: (tick: (ms: number) => void) => void): void {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  try {
    use((ms) => {
      // The mock goes to the end at once, past timers that are set on the way.
      for (let left = ms; left > 0; left -= timerMaxMs) mock.timers.tick(Math.min(left, timerMaxMs))
    })
  } finally {
    mock.timers.reset()
  }
}

void t.test('after runs once, when its time has come', async (t) => {
  fc.assert(
    fc.property(waits, (ms) => {
      onMockedTimers((tick) => {
        let runs = 0
        systemClock.after(ms, () => (runs += 1))
        tick(ms - 1)
        const early = runs
        tick(1)
        t.same([early, runs], [0, 1], `${ms} ms`)
        tick(ms)
        t.equal(runs, 1, 'and not again')
      })
    }),
    { examples: [[yearMs / 10]] },
  )
})

void t.test('every runs each time, and not once it is cancelled', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(1_000, timerMaxMs - 1, timerMaxMs, timerMaxMs + 1, 2 * timerMaxMs + 7, yearMs / 10),
      (ms) => {
        onMockedTimers((tick) => {
          let runs = 0
          const timer = systemClock.every(ms, () => (runs += 1))
          for (let times = 0; times < 3; times += 1) {
            tick(ms - 1)
            t.equal(runs, times, `${ms} ms`)
            tick(1)
            t.equal(runs, times + 1, `${ms} ms`)
          }
          timer.cancel()
          tick(3 * ms)
          t.equal(runs, 3)
        })
      },
    ),
  )
})

void t.test('a long wait that is cancelled on its way never ends', async (t) => {
  onMockedTimers((tick) => {
    let runs = 0
    const timer = systemClock.after(yearMs, () => (runs += 1))
    tick(timerMaxMs + 1)
    timer.cancel()
    tick(yearMs)
    t.equal(runs, 0)
  })
})
