import type { Logger } from 'pino'
import { LogError } from '../log/errors.ts'
import type { LogReader, LogRecord } from '../log/log.ts'
import { FormatError } from '../protocol/records/errors.ts'

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

/** Who is told of records, one by one. */
export interface Listener<T> {
  decode: (value: Buffer) => T
  handle: (record: T, offset: number) => void
  /** Told of a record that cannot be read, by its key. */
  unreadable?: (key: Buffer | null, error: FormatError) => void
  /** Told after each batch with which offset the reader goes on. */
  passed?: (next: number) => void
}

/** The same, record by record. One that cannot be read (FormatError) is logged and passed over. */
export async function followDecoded<T>(
  reader: LogReader,
  logger: Logger,
  { decode, handle, unreadable, passed }: Listener<T>,
): Promise<void> {
  await follow(reader, (records) => {
    for (const { offset, key, value } of records) {
      let record: T
      try {
        record = decode(value)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        logger.error({ err: error, offset }, 'unreadable record')
        unreadable?.(key, error)
        continue
      }
      handle(record, offset)
    }
    passed?.(records.at(-1)!.offset + 1)
  })
}
