import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { BenchCluster } from './cluster.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { pauses } from './pause.ts'
import { table } from './report.ts'
import type { Figure } from './report.ts'
import { saturation } from './saturation.ts'

const suites: Record<string, (cluster: BenchCluster) => Promise<Figure[]>> = {
  idle: (cluster) => idle(cluster, 15),
  latency: async (cluster) => [...(await latency(cluster, 500, 10)), ...(await latency(cluster, 2_000, 10))],
  saturation: (cluster) => saturation(cluster, 10),
  pause: pauses,
}

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, json: { type: 'string' }, help: { type: 'boolean' } },
})
if (values.help) {
  console.log(`npm run bench -- [--only ${Object.keys(suites).join('|')}]... [--json FILE]

Starts a cluster of its own per suite and prints each figure beside the floor of the same run.`)
  process.exit(0)
}

const figures: Figure[] = []
for (const [name, suite] of Object.entries(suites)) {
  if (values.only && !values.only.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  await using cluster = await BenchCluster.start()
  figures.push(...(await suite(cluster)))
}
console.log(table(figures))
if (values.json) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`)
