import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Figure } from './report.ts'
import type { Engines } from './services.ts'

const folder = fileURLToPath(new URL('kept/', import.meta.url))
const fileOf = ({ log, store }: Engines) => `${folder}${log}-${store}.json`

/** The figures that later runs on the same engines are compared with; none when no run was kept. */
export async function readKept(engines: Engines): Promise<Figure[]> {
  try {
    return JSON.parse(await readFile(fileOf(engines), 'utf8')) as Figure[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Keeps these figures in the place of those of the same name; those of suites that did not run stay. */
export async function keep(engines: Engines, kept: Figure[], figures: Figure[]): Promise<void> {
  const byName = new Map([...kept, ...figures].map((figure) => [figure.name, figure]))
  await mkdir(folder, { recursive: true })
  await writeFile(fileOf(engines), `${JSON.stringify([...byName.values()], null, 2)}\n`)
}

/**
 * How a figure stands to the kept one, in words. Ratios to the floor are compared where both have one, since they
 * travel between machines. Rates are better when higher, everything else when lower.
 */
export function change({ value, unit, floor }: Figure, before: Figure | undefined): string {
  if (before === undefined) return 'new'
  const isRatio = floor !== undefined && before.floor !== undefined
  const [now, then] = isRatio ? [value / floor.value, before.value / before.floor!.value] : [value, before.value]
  if (now === then) return 'same'
  const isBetter = unit === '/s' ? now > then : now < then
  const percent = then === 0 ? '' : ` ${now > then ? '+' : '−'}${(Math.abs(now / then - 1) * 100).toFixed(0)} %`
  return `${isBetter ? 'better' : 'worse'}${percent}${isRatio ? ' (ratio)' : ''}`
}
