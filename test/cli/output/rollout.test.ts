/** Proves how a rollout is drawn for people: by examples, whole. */
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { drawnOver, drawRollout, rolloutLine } from '../../../cli/output/rollout.ts'
import type { RolloutView } from '../../../controller/rollouts/view.ts'

const paused: RolloutView = {
  name: 'chat',
  phase: 'Paused',
  reason: 'CanaryPauseStep',
  message: 'step 2 of 3: paused for 30 s',
  revision: 2,
  stable: 'v1',
  canary: 'v2',
  groups: 'all',
  step: 1,
  steps: ['setWeight 25', 'pause 30s', 'setWeight 100'],
  weights: { desired: { v1: 75, v2: 25 }, actual: { v1: 81.25, v2: 18.75 } },
  slots: { total: 16, byVersion: { v1: 13, v2: 3 } },
  workers: { v1: 2, v2: 1 },
  analyses: [],
  kept: [],
  history: [],
  startedAt: 0,
  endedAt: null,
}

const drawn = (view: RolloutView): string[] => stripVTControlCharacters(drawRollout(view)).split('\n')

void t.test(
  'phase, weights with a bar for what each version has, and the steps with the present one marked',
  async (t) => {
    t.strictSame(drawn(paused), [
      'chat  Paused  CanaryPauseStep  revision 2',
      'step 2 of 3: paused for 30 s',
      '',
      'version  role    wanted  actual                         slots  workers',
      'v1       stable  75 %    81.25 %  ████████████████░░░░  13     2',
      'v2       canary  25 %    18.75 %  ████░░░░░░░░░░░░░░░░  3      1',
      '',
      'steps',
      '  ✓ setWeight 25',
      '  ▸ pause 30s',
      '    setWeight 100',
      '',
    ])
  },
)

void t.test('a version that still has slots is there too, and analyses with what they say', async (t) => {
  const view: RolloutView = {
    ...paused,
    slots: { total: 16, byVersion: { v0: 1, v1: 12, v2: 3 } },
    analyses: [
      { name: 'background', phase: 'Running', message: '' },
      { name: 'step-2', phase: 'Failed', message: 'errors: 5 % of commands' },
    ],
  }
  const lines = drawn(view)
  t.ok(lines.includes('v0       other   0 %     0 %      ░░░░░░░░░░░░░░░░░░░░  1      0'), lines.join('\n'))
  t.strictSame(lines.slice(-4), ['analyses', '  background  Running', '  step-2  Failed  errors: 5 % of commands', ''])
})

void t.test('all steps are done when it is Healthy, and one without steps has none', async (t) => {
  const healthy: RolloutView = { ...paused, phase: 'Healthy', step: 0 }
  t.equal(drawn(healthy).filter((line) => line.startsWith('  ✓ ')).length, 3)
  t.notOk(drawn({ ...paused, steps: [] }).includes('steps'))
})

void t.test('a line for a log has what the canary has of what it is to have', async (t) => {
  t.equal(rolloutLine(paused), 'Paused CanaryPauseStep: v2 has 18.75 % of 25 %; step 2 of 3: paused for 30 s')
  const unknown = { ...paused, weights: { desired: {}, actual: {} } }
  t.match(rolloutLine(unknown), /: v2 has 0 % of 0 %; /)
})

void t.test('a drawing takes the place of the one before it, however high that was', async (t) => {
  const screen: string[] = []
  let row = 0
  const write = (output: string): void => {
    const [up = '', drawing = ''] = output.split('\x1b[J')
    if (up !== '') row -= Number(up.slice(2, -1))
    screen.length = row
    screen.push(...drawing.split('\n').slice(0, -1))
    row = screen.length
  }
  let before = ''
  for (const view of [paused, { ...paused, steps: [] }, { ...paused, phase: 'Healthy' as const }]) {
    const text = drawRollout(view)
    write(drawnOver(before, text))
    t.equal(`${screen.join('\n')}\n`, text, 'nothing else is on the screen')
    before = text
  }
})
