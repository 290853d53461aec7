/** Proves that rooms are shown while an analysis runs and after it is over, harmed ones first, and that all of it is bounded. */
import t from 'tap'
import { Measurer, roomsShown } from '../../../controller/analysis/measurer.ts'
import type { WantedRun } from '../../../controller/analysis/measurer.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { published, roomOf, workerBeat } from '../beats.ts'

const templates = [{ metrics: [{ name: 'rooms', interval: '1s', provider: { rooms: {} } }] }]
const wanted = (rollout: string): WantedRun => ({
  key: `${rollout}/1`,
  rollout,
  templates,
  args: {},
  stable: 'v1',
  canary: 'v2',
})

function began(): Measurer {
  const measurer = new Measurer(testEnv({ clock: new ManualClock() }))
  const rooms = [roomOf('a', { commands: 500 }), roomOf('b', { commands: 500 })]
  measurer.heard(workerBeat('w-1', 'v1', { counters: published({ commands: 1_000 }), rooms }))
  measurer.look([wanted('r')])
  const later = [
    roomOf('a', { commands: 100 }),
    roomOf('b', { commands: 100, errors: 40 }),
    roomOf('c', { commands: 9 }),
  ]
  measurer.heard(workerBeat('w-2', 'v2', { counters: published({ commands: 209 }), rooms: later }))
  return measurer
}

void t.test('rooms are judged by what they were before the analysis, harmed ones first', async (t) => {
  const measurer = began()
  t.match(measurer.rooms('r'), [
    { room: 'b', verdict: 'bad', reason: /errors: 40 of 100, before 0 of 500/ },
    { room: 'a', verdict: 'good' },
    { room: 'c', verdict: 'unknown', commands: 9 },
  ])
  t.strictSame(
    measurer.rooms('r', 'good').map(({ room }) => room),
    ['a'],
  )
  t.strictSame(measurer.rooms('another'), [])
})

void t.test('they are still shown when the analysis is over, until the next one', async (t) => {
  const measurer = began()
  measurer.look([])
  t.match(measurer.rooms('r', 'bad'), [{ room: 'b' }])
  measurer.look([{ ...wanted('r'), key: 'r/2' }])
  t.strictSame(measurer.rooms('r'), [])
})

void t.test('rollouts whose rooms are remembered are bounded', async (t) => {
  const measurer = began()
  for (let rollout = 0; rollout < roomsShown.rollouts; rollout++) {
    measurer.look([wanted(`r${rollout}`)])
    measurer.look([])
  }
  t.strictSame(measurer.rooms('r'), [])
})

void t.test('a run that cannot begin is an error, and says why', async (t) => {
  const measurer = new Measurer(testEnv({ clock: new ManualClock() }))
  const twice = [...templates, ...templates]
  t.match(measurer.look([{ ...wanted('r'), templates: twice }]).get('r/1'), {
    phase: 'Error',
    message: /two metrics have the name rooms/,
    isMeasured: false,
  })
})
