import type { AppCommand, Stream } from './contract.ts'

/** What history may show of a channel, at a command's place in the log. */
export interface HistoryWindow {
  /** Messages up to this offset are too many ago. */
  floor: number
  /** Milliseconds since 1970; older messages are too old. */
  since: number
}

/** The newest `size` messages that are not older than `ttl`. */
export function historyWindow({ history, time }: Pick<AppCommand, 'history' | 'time'>, { top }: Stream): HistoryWindow {
  return { floor: Math.max(0, top - history.size), since: time - history.ttlMs }
}
