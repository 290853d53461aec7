// Proves that events are told once and in order, that whoever comes back hears what it missed, as far as it is known,
// and that no more than so many are kept.
import t from 'tap'
import { Events, eventsKept } from '../../../controller/events/events.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const clock = new ManualClock()

void t.test('whoever listens hears each event, in order, until it stops', async (t) => {
  const events = new Events('c-1', clock)
  events.publish('joined', { id: 'w-1' })
  const heard: unknown[] = []
  const stop = events.listen(({ id, type, data }) => heard.push([id, type, data]))
  events.publish('died', { id: 'w-1' })
  events.publish('drain', { worker: 'w-2' })
  stop()
  events.publish('left', { id: 'w-2' })
  t.same(heard, [
    ['c-1-2', 'died', { id: 'w-1' }],
    ['c-1-3', 'drain', { worker: 'w-2' }],
  ])
})

void t.test('whoever comes back hears what it missed', async (t) => {
  const events = new Events('c-1', clock)
  for (let n = 1; n <= 3; n++) events.publish('rollout', { n })
  t.same(
    events.since('c-1-1')?.map(({ data }) => data),
    [{ n: 2 }, { n: 3 }],
  )
  t.same(events.since('c-1-3'), [])
  t.equal(events.since('c-2-1'), null, 'what another controller told is not known here')
  t.equal(events.since('nonsense'), null)
})

void t.test('only the newest are kept', async (t) => {
  const events = new Events('c-1', clock)
  for (let n = 1; n <= eventsKept + 1; n++) events.publish('config', { n })
  t.equal(events.kept.length, eventsKept)
  t.equal(events.since('c-1-1'), null)
  t.equal(events.since('c-1-2')?.length, eventsKept - 1)
})
