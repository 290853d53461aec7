/** Proves that the templates of docs/analysis.md can be used as they stand, and that its figures are the program's. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { countersDefaults } from '../../../controller/analysis/counters.ts'
import { delivery } from '../../../controller/analysis/delivery.ts'
import { roomsDefaults } from '../../../controller/analysis/room-trial.ts'
import { startRun } from '../../../controller/analysis/run.ts'
import type { AnalysisTemplateSpec } from '../../../controller/analysis/template.ts'
import { parseResources } from '../../../controller/resources/parse.ts'

const page = readFileSync(new URL('../../../docs/analysis.md', import.meta.url), 'utf8')

void t.test('every template can be applied and begun', async (t) => {
  const texts = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!)
  t.equal(texts.length, 2)
  for (const text of texts) {
    const { resources, findings } = parseResources(text)
    t.strictSame(findings, [])
    const [{ resource }] = resources as [(typeof resources)[number]]
    const { phase } = startRun([resource.spec as AnalysisTemplateSpec], { canary: 'v2', stable: 'v1' })
    t.equal(phase, 'Running')
  }
})

void t.test('the table has the metrics of the built-in template, and their defaults', async (t) => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| .* \| (.*) \|$/gm)].map(([, name, figure]) => [name, figure])
  const table = Object.fromEntries(rows.filter(([name]) => delivery.metrics.some((metric) => metric.name === name)))
  t.strictSame(Object.keys(table).sort(), delivery.metrics.map(({ name }) => name).sort())
  const { minIncrease, max, ratio, floorMs } = countersDefaults
  const points = (rate: number) => `${Number((100 * rate).toFixed(6))} percentage points`
  t.strictSame(table, {
    violations: `more than ${max.violations}`,
    crashes: `more than ${max.crashes}`,
    errors: points(minIncrease.errors!),
    refusals: points(minIncrease.refusals!),
    effects: points(minIncrease.effects!),
    latency: `${ratio} times, ${2 * ratio} times; from ${floorMs} ms on`,
    rooms: points(roomsDefaults.maxBadRatioDelta),
  })
  t.match(page, `more than ${roomsDefaults.maxBadRooms} of them`)
  t.match(page, `at most \`alpha\` (${countersDefaults.alpha})`)
})
