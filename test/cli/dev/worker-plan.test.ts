/** Proves which workers a supervisor runs: those of wanted releases, and never none. */
import t from 'tap'
import { planWorkers, unwantedMs, wantedHere } from '../../../cli/dev/worker-plan.ts'

const kept = (version: string) => ['v1', 'v2', 'v3'].includes(version)
const running = (...versions: string[]) => new Map(versions.map((version) => [version, { unwantedSince: null }]))
const seen = (wanted: string[], others: string[] = []) => [
  ...wanted.map((version) => ({ version, wanted: true })),
  ...others.map((version) => ({ version, wanted: false })),
]

void t.test('what is wanted and kept here is wanted here', async (t) => {
  t.same([...wantedHere(seen(['v1', 'v2'], ['v3']), kept, running('v3'))], ['v1', 'v2'])
  t.same([...wantedHere(seen(['v1', 'elsewhere']), kept, running())], ['v1'])
})

void t.test('where nothing that is wanted is kept, what runs goes on', async (t) => {
  t.same([...wantedHere(seen(['elsewhere'], ['v1']), kept, running('v1'))], ['v1'])
  t.same([...wantedHere([], kept, running('v1', 'v2'))], ['v1', 'v2'])
})

void t.test('what is wanted starts at once', async (t) => {
  const plan = planWorkers(new Set(['v1', 'v2']), running('v1'), 0)
  t.same(plan, { start: ['v2'], stop: [], running: running('v1', 'v2') })
})

void t.test('what nobody wants stops when nobody has wanted it for a while', async (t) => {
  const first = planWorkers(new Set(['v2']), running('v1', 'v2'), 1_000)
  t.same(first.stop, [])
  const later = planWorkers(new Set(['v2']), first.running, 1_000 + unwantedMs - 1)
  t.same(later.stop, [])
  const end = planWorkers(new Set(['v2']), later.running, 1_000 + unwantedMs)
  t.same(end, { start: [], stop: ['v1'], running: running('v2') })
})

void t.test('what is wanted again in time was never unwanted', async (t) => {
  const first = planWorkers(new Set(['v2']), running('v1', 'v2'), 0)
  const again = planWorkers(new Set(['v1', 'v2']), first.running, unwantedMs - 1)
  const later = planWorkers(new Set(['v2']), again.running, unwantedMs + 1)
  t.same(later.stop, [])
})
