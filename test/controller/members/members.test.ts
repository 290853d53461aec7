// Proves who counts as dead: silence counts only over a time in which the controller's own heartbeats came back, so a
// log that stands still, or a controller that slept, makes nobody dead.
import t from 'tap'
import { Members, echoGapBeats, endedDeafBeats, isStuck, stuckDeathTimes } from '../../../controller/members/members.ts'
import type { Heartbeat, WorkerBeat } from '../../../protocol/records/heartbeat.ts'
import { workerBeat } from '../beats.ts'

const intervalMs = 100
const deathMs = 1_000
const internal = { host: '127.0.0.1', port: 1 }
const base = { type: 'heartbeat', pid: 1, version: 'v1', internal, beat: 1 } as const
const controllerBeat = (id: string): Heartbeat => ({ ...base, role: 'controller', id })
const worker = (id: string, state: WorkerBeat['state'] = 'live', waitingMs = 0) =>
  workerBeat(id, 'v1', { state, slots: [{ slot: 'default/0', epoch: 1, incarnation: 0, nextOffset: 0, waitingMs }] })

/** Members that hear their own heartbeats from `from` to `to`. */
function echo(members: Members, from: number, to: number): void {
  for (let now = from; now <= to; now += intervalMs) members.note(controllerBeat('c'), now)
}

t.test('silence of a worker', async (t) => {
  const members = new Members('c', intervalMs)
  echo(members, 0, 500)
  members.note(worker('w'), 500)
  echo(members, 600, 1_400)
  t.notOk(members.isDead('w', deathMs, 1_500), 'not long enough')
  echo(members, 1_500, 1_600)
  t.ok(members.isDead('w', deathMs, 1_600))
  members.note(worker('w'), 1_600)
  t.notOk(members.isDead('w', deathMs, 1_700), 'it was heard of again')
})

t.test('a log that stands still makes nobody dead', async (t) => {
  const members = new Members('c', intervalMs)
  echo(members, 0, 500)
  members.note(worker('w'), 500)
  t.notOk(members.trustsSilence(500 + intervalMs * echoGapBeats + 1))
  t.notOk(members.isDead('w', deathMs, 10_000), 'nothing comes back, its own neither')
  echo(members, 10_000, 10_900)
  t.notOk(members.isDead('w', deathMs, 10_950), 'time counts from when the log was back')
  echo(members, 11_000, 11_100)
  t.ok(members.isDead('w', deathMs, 11_100))
})

t.test('before its first own heartbeat a controller knows nothing', async (t) => {
  const members = new Members('c', intervalMs)
  members.note(controllerBeat('another'), 0)
  members.note(worker('w'), 0)
  t.notOk(members.trustsSilence(0))
  t.notOk(members.isDead('w', deathMs, 5_000))
  t.notOk(members.isDead('never heard of', deathMs, 5_000))
  echo(members, 5_000, 6_100)
  t.ok(members.isDead('never heard of', deathMs, 6_100), 'an owner that only the store names')
})

t.test('who is new, leaves or changes', async (t) => {
  const members = new Members('c', intervalMs)
  t.ok(members.note(worker('b'), 0))
  t.notOk(members.note(worker('b'), 1))
  t.ok(members.note(worker('b', 'draining'), 2))
  t.ok(members.note({ ...worker('b', 'draining'), slots: [] }, 2), 'a slot less: nobody else says that it was lost')
  t.notOk(members.note(worker('b', 'draining'), 2), 'one more was asked for')
  t.ok(members.note(worker('a'), 3))
  t.same(
    members.workers().map(({ beat }) => beat.id),
    ['a', 'b'],
  )
  t.ok(members.note({ type: 'left', role: 'worker', id: 'a' }, 4))
  t.notOk(members.note({ type: 'left', role: 'worker', id: 'a' }, 5))
  t.notOk(members.note({ type: 'halted', slot: 'default/0', worker: 'b', reason: '' }, 6))
  t.same(
    members.workers().map(({ beat }) => beat.id),
    ['b'],
  )
})

t.test('a worker that is starting is not among those that are up', async (t) => {
  const members = new Members('c', intervalMs)
  const ids = (all: { beat: WorkerBeat }[]) => all.map(({ beat }) => beat.id)
  t.ok(members.note(worker('a', 'starting'), 0))
  t.same([ids(members.workers()), ids(members.starting())], [[], ['a']])
  t.ok(members.note(worker('a'), 1))
  t.same([ids(members.workers()), ids(members.starting())], [['a'], []])
})

t.test('stuck is who lags while somebody does not', async (t) => {
  const limit = deathMs * stuckDeathTimes
  const [fine, slow, hung] = [worker('fine'), worker('slow', 'live', limit), worker('hung', 'live', limit + 1)]
  t.notOk(isStuck(slow, [slow, fine], deathMs))
  t.ok(isStuck(hung, [hung, fine], deathMs))
  t.notOk(isStuck(hung, [hung], deathMs), 'alone it may be the store')
  t.notOk(isStuck(hung, [hung, { ...hung, id: 'also hung' }], deathMs), 'where nobody gets on, too')
})

t.test('one whose process has ended', async (t) => {
  const members = new Members('c', intervalMs)
  members.note(worker('w'), 0)
  members.ended('w', 100)
  t.ok(members.isDead('w', deathMs, 100), 'is dead, whatever silence means')
  t.same(members.workers(), [])
  t.equal(members.note(worker('w'), 101), false, 'what it sent before changes nothing')
  t.same(members.workers(), [])
  t.ok(members.note(worker('w'), 100 + intervalMs * endedDeafBeats), 'one that goes on lives all the same')
  t.notOk(members.isDead('w', deathMs, 100 + intervalMs * endedDeafBeats))
  t.equal(members.workers().length, 1)
})
