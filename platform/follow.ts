import { LogError } from '../log/log.ts'
import type { LogReader, LogRecord } from '../log/log.ts'

/**
 * Hands every batch of a reader to `handle`, in order, until the reader is closed. Other errors of the reader, and
 * errors of `handle`, end it and reject.
 */
export async function follow(reader: LogReader, handle: (records: LogRecord[]) => void | Promise<void>): Promise<void> {
  while (true) {
    let records: LogRecord[]
    try {
      records = await reader.next()
    } catch (error) {
      if (error instanceof LogError && error.code === 'closed') return
      throw error
    }
    await handle(records)
  }
}
