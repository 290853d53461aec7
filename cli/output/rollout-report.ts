import type { RolloutReport } from '../../controller/rollouts/report.ts'

/** A report as Markdown. */
export function reportMarkdown(report: RolloutReport): string {
  const { name, revision, attempt, outcome, from, to, message, startedAt, endedAt, pausesMs } = report
  const closed = Object.entries(report.closed)
  const people = report.entries.filter(({ who }) => who !== undefined)
  return [
    `# ${name}: ${from} → ${to}, ${outcome}`,
    `Revision ${revision}, attempt ${attempt}. ${time(startedAt)} to ${time(endedAt)}, ${seconds(endedAt - startedAt)}. ${message}.`,
    '## What happened',
    grid(
      ['time', 'what', 'wanted', 'had', ''],
      report.entries.map(({ at, type, wanted, had, text }) => [time(at), type, `${wanted} %`, `${had} %`, text]),
    ),
    '## Slots and connections',
    `- slots moved: ${report.slotsMoved}; pauses p50 ${ms(pausesMs.p50)}, p99 ${ms(pausesMs.p99)}, max ${ms(pausesMs.max)}`,
    `- connections that ended: ${closed.length === 0 ? 'none' : closed.map(([code, count]) => `${count} (${code})`).join(', ')}`,
    report.countedSince > startedAt
      ? `- counted since ${time(report.countedSince)}: another controller led before`
      : '',
    '## Versions',
    grid(
      ['version', 'commands', 'errors', 'violations', 'crashes', 'batch p50', 'batch p99'],
      Object.entries(report.versions).map(([version, { commands, errors, violations, crashes, batchMs }]) => [
        version,
        ...[commands, errors, violations, crashes].map(String),
        ms(batchMs.p50),
        ms(batchMs.p99),
      ]),
    ),
    '## Verdicts',
    report.verdicts.length === 0
      ? 'No analysis ran.'
      : report.verdicts
          .map(({ analysis, phase, message: why }) => `- ${analysis}: ${phase}${why && `, ${why}`}`)
          .join('\n'),
    '## Who did what',
    people.length === 0
      ? 'Nobody did anything.'
      : people.map(({ at, who, type, text }) => `- ${time(at)} ${who}: ${type}, ${text}`).join('\n'),
  ]
    .filter((part) => part !== '')
    .map((part) => `${part}\n`)
    .join('\n')
}

function grid(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`)
  return lines.join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function time(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ')
}

function seconds(duration: number): string {
  return `${Math.round(duration / 100) / 10} s`
}

function ms(value: number | null): string {
  return value === null ? '-' : `${value} ms`
}
