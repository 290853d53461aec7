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

/**
 * The same, record by record as `decode` makes it. One that it cannot read (FormatError) is logged and passed over.
 * `passed` is told after each batch with which offset the reader goes on.
 */
export async function followDecoded<T>(
  reader: LogReader,
  decode: (value: Buffer) => T,
  logger: Logger,
  handle: (record: T, offset: number) => void,
  passed: (next: number) => void = () => {},
): Promise<void> {
  await follow(reader, (records) => {
    for (const { offset, value } of records) {
      let record: T
      try {
        record = decode(value)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        logger.error({ err: error, offset }, 'unreadable record')
        continue
      }
      handle(record, offset)
    }
    passed(records.at(-1)!.offset + 1)
  })
}
