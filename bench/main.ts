import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { BenchCluster } from './cluster.ts'
import { controllerIdle } from './controller.ts'
import { counting, faultStages } from './cost.ts'
import { fanout } from './fanout.ts'
import { firstSubscribe } from './first-subscribe.ts'
import { idle } from './idle.ts'
import { keep, readKept } from './kept.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { neighbours } from './neighbours.ts'
import { pauses } from './pause.ts'
import { reconnect } from './reconnect.ts'
import { table } from './report.ts'
import type { Figure } from './report.ts'
import { rollout, rolloutSlots } from './rollout.ts'
import { saturation } from './saturation.ts'
import { scaling } from './scaling.ts'
import { BenchServices } from './services.ts'
import type { Engines } from './services.ts'

/** Publishes per second at which latency is looked at. */
const rates = (cluster: BenchCluster) => (cluster.services.engines.log === 'kafka' ? [200, 1_000] : [500, 2_000])

const suites: Record<string, (cluster: BenchCluster) => Promise<Figure[]>> = {
  idle: (cluster) => idle(cluster, 15),
  latency: async (cluster) => {
    const figures: Figure[] = []
    for (const rate of rates(cluster)) figures.push(...(await latency(cluster, rate, 10)))
    return figures
  },
  subscribe: firstSubscribe,
  saturation: (cluster) => saturation(cluster, 10),
  pause: pauses,
  fanout,
  memory,
  reconnect,
  neighbours,
  rollout,
}

/** A minute or two for each of them. */
const effort = { processes: 3, rounds: 40 }

/** Those that start what they need by themselves. */
const alone: Record<string, (services: BenchServices) => Promise<Figure[]>> = {
  controller: (services) => controllerIdle(services, 20),
  faults: () => faultStages(effort),
  counting: () => counting(effort),
}

const settings: Record<string, Record<string, string>> = {
  // Who publishes while everybody is away is in no room.
  reconnect: { HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_ALLOW_PUBLISH_FOR_CLIENT: 'true' },
  rollout: { HOLDFAST_TOPICS_SLOTS: String(rolloutSlots) },
  // As many commands as by default: who sends more is what it is about.
  neighbours: {
    HOLDFAST_CLIENT_COMMAND_RATE: '100',
    HOLDFAST_CLIENT_COMMAND_BURST: '200',
    HOLDFAST_CHANNEL_WITHOUT_NAMESPACE_ALLOW_PUBLISH_FOR_CLIENT: 'true',
  },
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    log: { type: 'string', default: 'embedded' },
    store: { type: 'string', default: 'embedded' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  console.log(`npm run bench -- [--log embedded|kafka] [--store embedded|mysql] [--only ${Object.keys({ ...suites, ...alone }).join('|')}]... [--json FILE] [--keep]

Starts a cluster of its own per suite and prints each figure beside the floor of the same run and how it changed
against the kept run of these engines (bench/kept/LOG-STORE.json).
--json FILE: where the figures are written (default: bench-LOG-STORE.json in the data directory).
--keep: later runs are compared with the figures of this one; those of suites that do not run stay.
--only scaling: what one publish costs as proxies, workers, slots and rooms grow (about three minutes).`)
  process.exit(0)
}

if (!isEngine(values)) {
  console.error('--log is embedded or kafka, --store is embedded or mysql')
  process.exit(2)
}
// Whoever reads the figures wants to know what else the machine did.
const load = loadavg().map((average) => average.toFixed(2))
console.log(`${availableParallelism()} processors, load average at the start: ${load.join(' ')}`)
const services = await BenchServices.open(values)
const figures: Figure[] = []
for (const [name, suite] of Object.entries(suites)) {
  if (values.only && !values.only.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  await using cluster = await BenchCluster.start(services, settings[name])
  figures.push(...(await suite(cluster)))
}
for (const [name, suite] of Object.entries(alone)) {
  if (values.only && !values.only.includes(name)) continue
  process.stderr.write(`${name} …\n`)
  figures.push(...(await suite(services)))
}
if (values.only?.includes('scaling')) console.log(await scaling(services))
if (figures.length > 0) {
  const kept = await readKept(values)
  console.log(table(figures, kept))
  const json =
    values.json ?? join(process.env['HOLDFAST_DATA_DIR'] ?? '.holdfast', `bench-${values.log}-${values.store}.json`)
  await mkdir(dirname(json), { recursive: true })
  await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`)
  if (values.keep) await keep(values, kept, figures)
}

function isEngine<T extends { log: string; store: string }>(values: T): values is T & Engines {
  const { log, store } = values
  return ['embedded', 'kafka'].includes(log) && ['embedded', 'mysql'].includes(store)
}
