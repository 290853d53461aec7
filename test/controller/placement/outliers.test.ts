// Proves who is ejected: a worker whose commands fail while none succeeds, or half of them while those of others do, or
// which stalls, for longer each time, and never more of a version than the policy allows.
import * as fc from 'fast-check'
import t from 'tap'
import { ableWorkers } from '../../../controller/placement/able.ts'
import { failureRule, isEjected, lookForOutliers, mayEject } from '../../../controller/placement/outliers.ts'
import type { Health, OutlierPolicy } from '../../../controller/placement/outliers.ts'
import type { WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import { published, workerBeat } from '../beats.ts'

const policy: OutlierPolicy = {
  errorsMax: 5,
  stallsMax: 2,
  intervalMs: 1_000,
  ejectionMs: 30_000,
  ejectedPercentMax: 50,
  healthyPercentMin: 0,
}

const worker = (id: string, { commands = 0, errors = 0, waitingMs = 0, version = 'v1' } = {}) =>
  workerBeat(id, version, {
    slots: [{ slot: 'default/0', epoch: 1, incarnation: 0, nextOffset: 0, waitingMs }],
    counters: published({ commands, errors }),
  })

/** Looks every interval at what workers say, one list a look. */
function looks(...beats: WorkerBeat[][]): { health: Health; ejected: string[][] } {
  return looksBy(policy, ...beats)
}

function looksBy(of: OutlierPolicy, ...beats: WorkerBeat[][]): { health: Health; ejected: string[][] } {
  let health: Health = new Map()
  const ejected = beats.map((workers, index) => {
    const looked = lookForOutliers(health, workers, of, index * 1_000)
    health = looked.health
    return looked.ejected
  })
  return { health, ejected }
}

t.test('a worker whose commands fail is ejected, unless one succeeds meanwhile', async (t) => {
  const others = [worker('b'), worker('c')]
  const failing = [0, 3, 6].map((errors) => [worker('a', { commands: errors, errors }), ...others])
  t.same(looks(...failing).ejected, [[], [], ['a']])
  const mixed = [0, 3, 6].map((errors) => [worker('a', { commands: errors * 2, errors }), ...others])
  t.same(looks(...mixed).ejected, [[], [], []])
})

t.test('a worker that stalls is ejected after so many looks in a row', async (t) => {
  const stalling = Array.from({ length: 3 }, () => [worker('a', { waitingMs: 1_500 }), worker('b')])
  t.same(looks(...stalling).ejected, [[], [], ['a']])
  const once = [0, 1_500, 0, 1_500].map((waitingMs) => [worker('a', { waitingMs }), worker('b')])
  t.same(looks(...once).ejected, [[], [], [], []])
})

t.test('an ejection ends, and the next one is longer', async (t) => {
  const failing = Array.from({ length: 60 }, (_, look) => [
    worker('a', { commands: look * 5, errors: look * 5 }),
    worker('b'),
  ])
  const { ejected, health } = looks(...failing)
  t.same(
    ejected.flatMap((ids, look) => (ids.length > 0 ? [look] : [])),
    [1, 31],
  )
  t.equal(health.get('a')!.ejections, 2)
  t.equal(isEjected(health.get('a'), 31_000 + 59_000), true)
  t.equal(isEjected(health.get('a'), 31_000 + 60_000), false)
})

t.test('the last worker of a version is never ejected, and no more than the policy allows', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.nat(100),
      fc.nat(100),
      (live, ejectedPercentMax, healthyPercentMin) => {
        const bounds = { ...policy, ejectedPercentMax, healthyPercentMin }
        let out = 0
        while (mayEject(live, out, bounds)) out += 1
        if (out >= live) throw new Error('nobody is left')
        if (out > Math.max(1, (live * ejectedPercentMax) / 100)) throw new Error('more than the share')
        if (out > 0 && ((live - out) * 100) / live < healthyPercentMin) throw new Error('too few are left')
        if (ejectedPercentMax === 0 && out > 0) throw new Error('none may be ejected')
      },
    ),
  )
})

t.test('an ejected worker gets nothing while another of its version can', async (t) => {
  const unable = { stuck: new Set<string>(), ejected: new Set(['a']), unfit: new Map<string, string>() }
  const idsOf = (workers: WorkerBeat[], given = unable) => ableWorkers(workers, given).map(({ id }) => id)
  t.same(idsOf([worker('a'), worker('b'), worker('c', { version: 'v2' })]), ['b', 'c'])
  t.same(idsOf([worker('a'), worker('c', { version: 'v2' })]), ['a', 'c'], 'it is better than none')
  t.same(idsOf([worker('a'), worker('b')], { ...unable, unfit: new Map([['v1', 'why']]) }), [])
})

t.test('a worker that fails at half of what it does is ejected, when others of its version do better', async (t) => {
  const { commandsMin } = failureRule
  /** `a` fails at so many of its commands between two looks, `b` and `c` at so many of a hundred each. */
  const out = (commands: number, errors: number, others: number, of = policy) => {
    const beats = [0, 1].map((times) => [
      worker('a', { commands: 1_000 + times * commands, errors: 200 + times * errors }),
      ...['b', 'c'].map((id) => worker(id, { commands: 1_000 + times * 100, errors: 200 + times * others })),
      // Of another version: it is no measure.
      worker('d', { commands: 1_000 + times * 100, errors: times * 100, version: 'v2' }),
    ])
    return looksBy(of, ...beats).ejected.at(-1)
  }
  t.same(out(100, 50, 0), ['a'])
  t.same(out(commandsMin, commandsMin / 2, 0), ['a'])
  t.same(out(100, 49, 0), [], 'less than half')
  t.same(out(1, 1, 0), [], 'of one command')
  t.same(out(commandsMin - 1, commandsMin - 2, 0), [], 'of few commands')
  t.same(out(100, 50, 24), ['a'])
  t.same(out(100, 50, 25), [], 'the others fail half as often, too')
  t.same(out(100, 60, 60), [], 'the whole version fails')
  t.same(out(100, 50, 0, { ...policy, errorsMax: 0 }), [], 'failures do not count')
  t.same(out(0, 0, 0), [])
  const idle = [0, 100].map((commands) => [worker('a', { commands, errors: commands / 2 }), worker('b')])
  t.same(looks(...idle).ejected, [[], ['a']], 'others did nothing')
})

t.test('what was before the last look counts no more, nor does what happened in an ejection', async (t) => {
  const at = (commands: number, errors: number) => [
    worker('a', { commands, errors }),
    ...['b', 'c'].map((id) => worker(id, { commands })),
  ]
  t.same(looks(at(0, 0), at(40, 30), at(80, 60)).ejected, [[], [], []], 'never enough at a time')
  const { ejected, health } = looks(at(0, 0), at(100, 60), at(200, 120), at(300, 180))
  t.same(ejected, [[], ['a'], [], []])
  t.equal(health.get('a')!.ejections, 1)
  t.same(looks(at(1_000, 900)).ejected, [[]], 'nor what was before the first')
})

t.test('whoever fails, and however often: the caps hold, and nobody is ejected for little', async () => {
  const counts = fc.tuple(fc.nat(200), fc.nat(100)).map(([commands, percent]) => ({
    commands,
    errors: Math.floor((commands * percent) / 100),
  }))
  const caps = fc.record({ ejectedPercentMax: fc.nat(100), healthyPercentMin: fc.nat(100) })
  fc.assert(
    fc.property(fc.array(fc.array(counts, { minLength: 1, maxLength: 8 }), { maxLength: 6 }), caps, (rounds, caps) => {
      const bounds = { ...policy, ...caps, errorsMax: 1_000_000 }
      const totals = new Map<string, { commands: number; errors: number }>()
      let health: Health = new Map()
      for (const [index, round] of [[], ...rounds].entries()) {
        const now = index * 1_000
        for (let id = 0; id < 8; id++) {
          const { commands, errors } = totals.get(`w${id}`) ?? { commands: 0, errors: 0 }
          const more = round[id] ?? { commands: 0, errors: 0 }
          totals.set(`w${id}`, { commands: commands + more.commands, errors: errors + more.errors })
        }
        const beats = [...totals].map(([id, total]) => worker(id, total))
        const looked = lookForOutliers(health, beats, bounds, now)
        const out = beats.filter(({ id }) => isEjected(looked.health.get(id), now)).length
        if (looked.ejected.length > 0 && !mayEject(beats.length, out - 1, bounds)) throw new Error('more than may be')
        for (const id of looked.ejected) {
          const { commands, errors } = round[Number(id.slice(1))]!
          if (commands < failureRule.commandsMin || errors * 2 < commands)
            throw new Error(`${id} is ejected for little`)
        }
        health = looked.health
      }
    }),
  )
})
