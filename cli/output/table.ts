import { styleText } from 'node:util'

/** Rows for a person: columns named by the keys of the first row, padded, nothing cut off. */
export function table(rows: readonly Record<string, unknown>[]): string {
  const columns = Object.keys(rows[0] ?? {})
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])))
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]!.length)))
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  // styleText leaves the colour away for NO_COLOR and where the output is no terminal.
  return [styleText('bold', line(columns)), ...cells.map(line)].map((text) => `${text}\n`).join('')
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
