/**
 * Proves the verdicts on rooms: each is judged by its own past, harmed ones are named and counted, their number and share
 * are capped, and rooms that are as they were are named no more often than alpha says.
 */
import t from 'tap'
import { RoomPasts, roomsKept } from '../../../controller/analysis/room-pasts.ts'
import type { RoomTotals } from '../../../controller/analysis/room-pasts.ts'
import { RoomTrial, roomsDefaults } from '../../../controller/analysis/room-trial.ts'
import type { RoomsProvider } from '../../../controller/analysis/template.ts'
import { Seeded } from '../../simulation/seeded.ts'
import { roomOf, workerBeat } from '../beats.ts'
import { binomial } from './draws.ts'

const versions = { stable: 'v1', canary: 'v2' }
const none: RoomTotals = { commands: 0, errors: 0, silent: 0, violations: 0, late: [0, 0, 0] }
const quiet = { ...none, commands: 500 }

/** A trial in which these rooms, each with its past, did so much under the canary. */
function tried(
  rooms: Record<string, { past?: Partial<RoomTotals>; now: Partial<RoomTotals> }>,
  spec: RoomsProvider = {},
) {
  const trial = new RoomTrial(versions, spec)
  for (const [room, { past, now }] of Object.entries(rooms)) {
    const known = past && { ...quiet, ...past }
    trial.heard({ room, version: 'v2', done: { ...none, commands: 100, ...now } }, known)
  }
  return trial
}
const verdicts = (trial: RoomTrial) => Object.fromEntries(trial.judged.map(({ room, verdict }) => [room, verdict]))

void t.test('a room is bad when it is worse than it was, not when it always was so', async (t) => {
  const trial = tried({
    'as it was': { past: {}, now: {} },
    'errs now': { past: {}, now: { errors: 20 } },
    'always erred': { past: { errors: 100 }, now: { errors: 20 } },
    'says less': { past: {}, now: { silent: 20 } },
    'waits longer': { past: {}, now: { late: [90, 60, 0] } },
    'always waited': { past: { late: [450, 400, 0] }, now: { late: [90, 80, 0] } },
    'was answered wrongly': { past: {}, now: { violations: 1 } },
    'nobody knew it': { now: { errors: 20 } },
    'hardly used': { past: {}, now: { commands: 2, errors: 2 } },
  })
  t.strictSame(verdicts(trial), {
    'as it was': 'good',
    'errs now': 'bad',
    'always erred': 'good',
    'says less': 'bad',
    'waits longer': 'bad',
    'always waited': 'good',
    'was answered wrongly': 'bad',
    'nobody knew it': 'unknown',
    'hardly used': 'unknown',
  })
  t.match(
    trial.judged.filter(({ verdict }) => verdict === 'bad').map(({ reason }) => reason),
    [/errors: 20 of 100, before 0 of 500/, /without their message/, /later than/, /1 violations/],
  )
})

const many = (count: number, now: Partial<RoomTotals>, name = 'room') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}-${index}`, { past: {}, now }]))

void t.test('more harmed rooms than the cap are a failure, and so is too large a share of them', async (t) => {
  const phase = (bad: number, good: number, spec: RoomsProvider) =>
    tried({ ...many(bad, { errors: 30 }, 'bad'), ...many(good, {}, 'good') }, spec).measurement.phase
  t.equal(phase(0, 100, {}), 'Successful')
  t.equal(phase(1, 20, {}), 'Successful', 'one of a few is no share to speak of')
  t.equal(phase(2, 20, {}), 'Failed')
  t.equal(phase(2, 20, { maxBadRatioDelta: 0.2 }), 'Successful')
  t.equal(phase(roomsDefaults.maxBadRooms + 1, 20, { maxBadRatioDelta: 1 }), 'Failed')
  t.equal(phase(0, 5, { minRooms: 6 }), 'Inconclusive')
})

void t.test('what also befalls the rooms that stayed is not the canary’s doing, up to the cap', async (t) => {
  const trial = new RoomTrial(versions, {})
  for (const version of ['v1', 'v2'])
    for (let room = 0; room < 30; room++) {
      const done = { ...none, commands: 100, errors: room < 3 ? 40 : 0 }
      trial.heard({ room: `${version}-${room}`, version, done }, quiet)
    }
  t.match(trial.measurement, { phase: 'Successful', value: /3 of 30 .* 3 of 30/ })
})

void t.test('versions that are not on trial change nothing', async (t) => {
  const trial = tried({})
  trial.heard({ room: 'r', version: 'v3', done: { ...quiet, errors: 500 } }, quiet)
  t.strictSame(trial.judged, [])
})

void t.test('rooms that are as they were are seldom called bad, however often they are looked at', async (t) => {
  let [wrong, judged] = [0, 0]
  for (let seed = 0; seed < 20; seed++) {
    const random = new Seeded(`rooms ${seed}`)
    const trial = new RoomTrial(versions, {})
    const rates = Array.from({ length: 50 }, () => 0.05 * random.float())
    const draw = (room: number, commands: number) => ({
      ...none,
      commands,
      errors: binomial(random, commands, rates[room]!),
    })
    const pasts = rates.map((_, room) => draw(room, 200))
    const called = new Set<string>()
    for (let look = 0; look < 20; look++) {
      for (const room of rates.keys())
        trial.heard({ room: `${room}`, version: 'v2', done: draw(room, 10) }, pasts[room])
      for (const { room, verdict } of trial.judged) if (verdict === 'bad') called.add(room)
    }
    judged += rates.length
    wrong += called.size
  }
  t.comment(`${wrong} of ${judged} rooms were called bad at any of 20 looks`)
  t.ok(wrong / judged <= roomsDefaults.alpha)
})

void t.test('pasts are summed from what workers say little by little, and leave out a version on trial', async (t) => {
  const pasts = new RoomPasts()
  const beat = (id: string, version: string, commands: number, errors = 0) =>
    pasts.heard(workerBeat(id, version, { rooms: [roomOf('r', { commands, errors })] }), (each) => each === 'v2')
  t.match(beat('w-1', 'v1', 5), [{ room: 'r', version: 'v1', done: { commands: 5 } }])
  t.match(beat('w-1', 'v1', 8, 1), [{ done: { commands: 3, errors: 1 } }])
  t.match(beat('w-2', 'v2', 7), [{ version: 'v2', done: { commands: 7 } }])
  t.match(pasts.of('r'), { commands: 8, errors: 1 })
  t.match(beat('w-1', 'v1', 2), [{ done: { commands: 2 } }], 'a worker that forgot the room begins anew')
  t.match(pasts.of('r'), { commands: 10, errors: 1 })
  t.strictSame(
    pasts.heard(workerBeat('w-3', 'v1'), () => false),
    [],
  )
})

void t.test('rooms are bounded: the one that was heard of longest ago is forgotten', async (t) => {
  const pasts = new RoomPasts()
  for (let room = 0; room <= roomsKept.rooms; room++)
    pasts.heard(workerBeat('w', 'v1', { rooms: [roomOf(`r${room}`, { commands: 1 })] }), () => false)
  t.equal(pasts.of('r0'), undefined)
  t.match(pasts.of('r1'), { commands: 1 })
})
