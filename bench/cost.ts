import { countingByItself, stagesByThemselves } from './by-themselves.ts'
import type { Figure } from './report.ts'
import { measureRounds } from './rounds.ts'
import type { Round, RoundLoad, RoundsReport } from './rounds.ts'
import { quantile } from './stats.ts'
import type { Part } from './without.ts'

const loads: RoundLoad[] = [
  // Each is a batch and a transaction of its own: what is done for a batch counts most.
  { name: 'one at a time', publishes: 200, atOnce: 1 },
  // Batches form by themselves: what is done for a command counts most.
  { name: '256 at once', publishes: 2_000, atOnce: 256 },
]

/** How much is measured: in so many processes, as code is compiled a little differently in each, so many rounds. */
export interface Effort {
  processes: number
  rounds: number
}

/** What fault stages cost a publish while no fault is set. */
export async function faultStages(effort: Effort): Promise<Figure[]> {
  const { stages, call } = await stagesByThemselves()
  return [
    {
      name: 'fault stages, none set: those of a batch by themselves',
      value: stages,
      unit: 'µs',
      floor: { name: 'one call that is waited for', value: call },
    },
    ...costs('fault stages, none set', await measured('stages', effort)),
  ]
}

/** What counting for an analysis costs a publish, and a heartbeat. */
export async function counting(effort: Effort): Promise<Figure[]> {
  const alone: Figure[] = []
  for (const batch of [1, 64]) {
    const { counting, app } = await countingByItself(batch)
    const name = `counting by version: a command by itself, of a batch of ${batch}`
    alone.push({ name, value: counting, unit: 'µs', floor: { name: 'the app handles it', value: app } })
  }
  const reports = await measured('counting', effort)
  const beats = (of: keyof RoundsReport['beats'], q: number) =>
    quantile(
      reports.flatMap((report) => report.beats[of]),
      q,
    )
  const last = (of: keyof RoundsReport['beats']) => reports[0]!.beats[of].at(-1)!
  return [
    ...alone,
    ...costs('counting by version', reports),
    {
      name: 'counting by version: heartbeat of a worker, the longest',
      value: beats('asItIs', 1),
      unit: 'bytes',
      floor: { name: 'without', value: beats('without', 1) },
    },
    {
      name: 'counting by version: heartbeat of a worker, when nothing happens',
      value: last('asItIs'),
      unit: 'bytes',
      floor: { name: 'without', value: last('without') },
    },
  ]
}

async function measured(part: Part, { processes, rounds }: Effort): Promise<RoundsReport[]> {
  const reports: RoundsReport[] = []
  for (let count = 0; count < processes; count++) reports.push(await measureRounds({ part, rounds, loads }))
  return reports
}

function costs(what: string, reports: RoundsReport[]): Figure[] {
  return loads.flatMap(({ name }) => {
    const rounds = reports.flatMap((report) => report.loads[name]!)
    const median = (of: keyof Round) =>
      quantile(
        rounds.map((round) => round[of]),
        0.5,
      )
    const ratio = (q: number, label: string): Figure => ({
      name: `${what}, ${name}: with ÷ without, ${label}`,
      value: quantile(
        rounds.map(({ asItIs, without }) => asItIs / without),
        q,
      ),
      unit: '×',
      floor: {
        name: 'the same code twice',
        value: quantile(
          rounds.map(({ asItIs, again }) => asItIs / again),
          q,
        ),
      },
    })
    return [
      {
        name: `${what}, ${name}: CPU per publish`,
        value: median('asItIs'),
        unit: 'µs',
        floor: { name: 'without', value: median('without') },
      },
      ratio(0.25, 'lower quartile of the rounds'),
      ratio(0.5, 'median of the rounds'),
      ratio(0.75, 'upper quartile of the rounds'),
    ]
  })
}
