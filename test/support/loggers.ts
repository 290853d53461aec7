/** Loggers of tests: one that nobody hears, and one that notes what it is told. */
import { pino } from 'pino'
import type { Logger } from 'pino'

/** Says nothing, unless TEST_LOG_LEVEL asks it to. */
export const quietLogger: Logger = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' })

/** A line of a log. */
export interface Line {
  level: number
  msg: string
  [field: string]: unknown
}

/** Notes each line that is logged from `level` up, in order. */
export function notingLogger(level = 'info'): { logger: Logger; lines: Line[] } {
  const lines: Line[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line)
  return { logger: pino({ level }, { write }), lines }
}
