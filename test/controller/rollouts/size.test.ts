// Proves that what is kept of a rollout fits into a document of the store, whatever happens to it and however often.
import t from 'tap'
import { noTotals } from '../../../controller/analysis/version-totals.ts'
import { noteVerdict, reportOf, verdictsKept } from '../../../controller/rollouts/report.ts'
import type { Verdict } from '../../../controller/rollouts/report.ts'
import { entriesMax, entryTextMax } from '../../../controller/rollouts/state.ts'
import { Tally, pausesMax } from '../../../controller/rollouts/tally.ts'
import { tell } from '../../../controller/rollouts/turn.ts'
import { documentBytesMax } from '../../../store/document-size.ts'
import { World, analysis } from './world.ts'

/** Three bytes a character, and more of them than anybody says. */
const longText = '界'.repeat(5_000)
const longName = 'v'.repeat(253)

t.test('the state and the report of a rollout that much happened to', async (t) => {
  const args = Array.from({ length: 64 }, (_, index) => ({ name: `a${index}`, value: '界'.repeat(256) }))
  const world = new World({
    canary: longName,
    historyLimit: 100,
    steps: Array.from({ length: 100 }, () => ({ ...analysis(), args }) as ReturnType<typeof analysis>),
  })
  world.look()
  const { state } = world
  const turn = { state, spec: world.spec, seen: world.seen, now: world.now, happened: [] }
  for (let times = 0; times < entriesMax * 2; times++) tell(turn, 'RolloutAborted', longText, `write:${'x'.repeat(64)}`)
  state.history = Array.from({ length: 101 }, (_, revision) => ({ revision, version: longName, at: world.now }))
  state.message = longText.slice(0, 1_500)
  t.equal(state.entries.length, entriesMax)
  t.equal(state.entries.at(-1)!.text, longText.slice(0, entryTextMax))
  const bytes = Buffer.byteLength(JSON.stringify(state))
  t.comment(`state: ${bytes} bytes`)
  t.ok(bytes < documentBytesMax)

  const verdicts = new Map<string, Verdict>()
  for (let run = 0; run < verdictsKept.verdicts * 2; run++)
    noteVerdict(verdicts, { analysis: `chat/${longName}/${run}`, phase: 'Inconclusive', message: longText })
  t.equal(verdicts.size, verdictsKept.verdicts)
  t.ok([...verdicts.keys()].at(-1)!.endsWith(`/${verdictsKept.verdicts * 2 - 1}`), 'the last ones')
  const tally = new Tally(world.now, [])
  for (let pause = 0; pause < pausesMax + 1; pause++) tally.pause(pause)
  const work = new Map(['v1', longName].map((version) => [version, { now: noTotals, base: noTotals }]))
  const report = Buffer.byteLength(JSON.stringify(reportOf(state, state, tally, work, [...verdicts.values()])))
  t.comment(`report: ${report} bytes`)
  t.ok(report < documentBytesMax)
})
