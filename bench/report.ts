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
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}

export function table(figures: Figure[]): string {
  const rows = figures.map(({ name, value, unit, floor }) => [
    name,
    `${format(value)} ${unit}`,
    floor ? `${floor.name}: ${format(floor.value)} ${unit}` : '',
    floor ? `${(value / floor.value).toFixed(2)} ×` : '',
  ])
  const all = [['figure', 'measured', 'floor of the same run', 'ratio'], ...rows]
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
