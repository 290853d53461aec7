import { change } from './kept.ts'

/** One measured figure, beside what the same run gives without the work that is measured. */
export interface Figure {
  name: string
  value: number
  unit: string
  floor?: Floor
}

export interface Floor {
  name: string
  value: number
}

export function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US')
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toFixed(2)
}

/** The figures as text, compared with those of the kept run. */
export function table(figures: Figure[], kept: Figure[]): string {
  const before = new Map(kept.map((figure) => [figure.name, figure]))
  const rows = figures.map((figure) => {
    const { name, value, unit, floor } = figure
    return [
      name,
      `${format(value)} ${unit}`.trim(),
      floor ? `${floor.name}: ${format(floor.value)} ${unit}` : '',
      floor ? `${(value / floor.value).toFixed(2)} ×` : '',
      change(figure, before.get(name)),
    ]
  })
  const all = [['figure', 'measured', 'floor of the same run', 'ratio', 'against the kept run'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
