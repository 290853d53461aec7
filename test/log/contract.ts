import type { Test } from 'tap'
import type { LogErrorCode } from '../../log/errors.ts'
import type { Log, LogReader, LogRecord } from '../../log/log.ts'
import { appendBytesMax, recordOverheadBytes } from '../../protocol/records/sizes.ts'

/** Opens one more handle on the same log, as another process would. Closes with the test. */
export type OpenLog = () => Log

const value = (text: string): { key: null; value: Buffer } => ({ key: null, value: Buffer.from(text) })
const keyed = (key: string, text: string): { key: Buffer; value: Buffer } => ({
  key: Buffer.from(key),
  value: Buffer.from(text),
})
const texts = (records: LogRecord[]): string[] => records.map((record) => record.value.toString())

/** Reads until `count` records are there. */
async function take(reader: LogReader, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  while (records.length < count) records.push(...(await reader.next()))
  return records
}

const refused = (code: LogErrorCode): { name: string; code: LogErrorCode } => ({ name: 'LogError', code })

/** What every log must do, whatever it is made of. `make` gives a new and empty one. */
export function logContract(t: Test, name: string, make: (t: Test) => Promise<OpenLog>): void {
  const check = (what: string, run: (t: Test, open: OpenLog) => Promise<void>): void => {
    void t.test(`${name}: ${what}`, async (t) => {
      const open = await make(t)
      await open().createTopics([
        { name: 'plain', partitions: 3, compacted: false },
        { name: 'compact', partitions: 1, compacted: true },
      ])
      await run(t, open)
    })
  }

  check('offsets rise by one in a partition, and partitions are apart', async (t, open) => {
    const log = open()
    t.equal(await log.append('plain', 0, [value('a'), value('b')]), 0)
    t.equal(await log.append('plain', 0, [value('c')]), 2)
    t.equal(await log.append('plain', 1, [value('d')]), 0)
    t.same(await log.range('plain', 0), { oldest: 0, next: 3 })
    t.same(await log.range('plain', 1), { oldest: 0, next: 1 })
    const records = await take(log.read('plain', 0, 0), 3)
    t.same(texts(records), ['a', 'b', 'c'])
    t.same(
      records.map(({ offset }) => offset),
      [0, 1, 2],
    )
  })

  check('keys and values come back as the bytes they were', async (t, open) => {
    const log = open()
    const bytes = Buffer.from([0, 255, 10, 0])
    await log.append('plain', 0, [
      { key: bytes, value: bytes },
      { key: null, value: Buffer.alloc(0) },
    ])
    const [first, second] = await take(open().read('plain', 0, 0), 2)
    t.ok(Buffer.isBuffer(first?.key) && first.key.equals(bytes))
    t.ok(Buffer.isBuffer(first?.value) && first.value.equals(bytes))
    t.equal(second?.key, null)
    t.equal(second?.value.byteLength, 0)
  })

  check(
    'concurrent appenders lose nothing and keep their own order, entries of one append stay together',
    async (t, open) => {
      const appenders = [open(), open(), open()]
      const rounds = 60
      await Promise.all(
        appenders.map(async (log, appender) => {
          const sent: Promise<number>[] = []
          for (let round = 0; round < rounds; round += 1) {
            sent.push(
              log.append('plain', 0, [value(`${appender} ${round} first`), value(`${appender} ${round} second`)]),
            )
            if (round % 10 === 0) await Promise.all(sent)
          }
          await Promise.all(sent)
        }),
      )
      const seen = texts(await take(open().read('plain', 0, 0), appenders.length * rounds * 2))
      t.equal(new Set(seen).size, seen.length, 'nothing twice')
      appenders.forEach((_, appender) => {
        const own = seen.filter((text) => text.startsWith(`${appender} `))
        t.same(
          own,
          Array.from({ length: rounds }, (_, round) => [
            `${appender} ${round} first`,
            `${appender} ${round} second`,
          ]).flat(),
        )
      })
      for (let index = 0; index < seen.length; index += 2) {
        t.equal(seen[index]?.replace('first', 'second'), seen[index + 1])
      }
    },
  )

  check('a reader follows the tail, from another handle too', async (t, open) => {
    const log = open()
    const readers = [log.read('plain', 0, 0), open().read('plain', 0, 0)]
    const waiting = readers.map((reader) => reader.next())
    await log.append('plain', 0, [value('a')])
    for (const records of await Promise.all(waiting)) t.same(texts(records), ['a'])
    await log.append('plain', 0, [value('b')])
    for (const reader of readers) t.same(texts(await reader.next()), ['b'])
  })

  check('reading starts at any offset, the end included', async (t, open) => {
    const log = open()
    await log.append('plain', 0, ['a', 'b', 'c'].map(value))
    for (const from of [0, 1, 2])
      t.same(texts(await take(log.read('plain', 0, from), 3 - from)), ['a', 'b', 'c'].slice(from))
    const atEnd = log.read('plain', 0, 3)
    await log.append('plain', 0, [value('d')])
    t.same(texts(await atEnd.next()), ['d'])
  })

  check('many records come in order, however they are cut', async (t, open) => {
    const log = open()
    const count = 5_000
    for (let first = 0; first < count; first += 500) {
      await log.append(
        'plain',
        0,
        Array.from({ length: 500 }, (_, index) => value(String(first + index))),
      )
    }
    const records = await take(open().read('plain', 0, 0), count)
    t.ok(records.every(({ offset, value }, index) => offset === index && value.toString() === String(index)))
  })

  check('a place outside the log is refused loudly', async (t, open) => {
    const log = open()
    await log.append('plain', 0, ['a', 'b', 'c'].map(value))
    await log.trim('plain', 0, 2)
    t.same(await log.range('plain', 0), { oldest: 2, next: 3 })
    await t.rejects(log.read('plain', 0, 1).next(), refused('out_of_range'), 'older than the oldest')
    await t.rejects(log.read('plain', 0, 4).next(), refused('out_of_range'), 'newer than the next')
    t.same(texts(await log.read('plain', 0, 2).next()), ['c'])
  })

  check('trimming everything keeps the next offset', async (t, open) => {
    const log = open()
    await log.append('plain', 0, ['a', 'b'].map(value))
    await log.trim('plain', 0, 100)
    t.same(await log.range('plain', 0), { oldest: 2, next: 2 })
    await log.trim('plain', 0, 1)
    t.same(await log.range('plain', 0), { oldest: 2, next: 2 }, 'and never goes back')
    t.equal(await log.append('plain', 0, [value('c')]), 2)
    t.same(texts(await log.read('plain', 0, 2).next()), ['c'])
  })

  check('a compacted topic keeps the newest record of each key, and its readers start anywhere', async (t, open) => {
    const log = open()
    const live = log.read('compact', 0, 0)
    await log.append('compact', 0, [keyed('x', '1'), keyed('y', '2'), keyed('x', '3')])
    await log.append('compact', 0, [keyed('x', '4')])
    // How soon an older record gives way is up to the log.
    const upTo = async (reader: LogReader, last: string): Promise<string[]> => {
      const seen: string[] = []
      while (seen.at(-1) !== last) seen.push(...texts(await reader.next()))
      return seen
    }
    const all = await upTo(log.read('compact', 0, 0), '4')
    t.ok(all.includes('2'), 'the newest of y is there')
    t.same(all, [...all].sort(), 'in order')
    t.same((await upTo(log.read('compact', 0, 2), '4')).slice(-1), ['4'])
    t.equal((await log.range('compact', 0)).next, 4)
    const seen = await upTo(live, '4')
    t.same(seen, [...seen].sort(), 'whoever follows sees them in order')
    const atEnd = log.read('compact', 0, 4)
    await log.append('compact', 0, [keyed('y', '5')])
    t.same(texts(await atEnd.next()), ['5'])
  })

  check('a topic is made once; other settings are refused, unknown topics too', async (t, open) => {
    const log = open()
    await log.append('plain', 2, [value('a')])
    await open().createTopics([{ name: 'plain', partitions: 3, compacted: false }])
    t.equal((await log.range('plain', 2)).next, 1)
    const others = [
      { name: 'plain', partitions: 4, compacted: false },
      { name: 'plain', partitions: 3, compacted: true },
    ]
    for (const other of others)
      await t.rejects(
        log.createTopics([{ ...other, name: 'new' + other.partitions }, other]),
        refused('topic_mismatch'),
      )
    await t.rejects(log.range('new4', 0), refused('unknown_topic'), 'nothing of a refused request is done')
    await t.rejects(log.append('nowhere', 0, [value('a')]), refused('unknown_topic'))
    await t.rejects(log.append('plain', 3, [value('a')]), refused('unknown_topic'))
    await t.rejects(log.read('nowhere', 0, 0).next(), refused('unknown_topic'))
  })

  check('large records pass, more of them than a reader holds ready', async (t, open) => {
    const log = open()
    const size = 900 * 1024
    const reader = open().read('plain', 0, 0)
    const count = 14
    for (let index = 0; index < count; index += 1)
      await log.append('plain', 0, [{ key: null, value: Buffer.alloc(size, index) }])
    const records = await take(reader, count)
    t.ok(records.every(({ value }, index) => value.byteLength === size && value.every((byte) => byte === index)))
  })

  check('what always fits is taken; more is refused, whole and at once, and troubles nobody else', async (t, open) => {
    const log = open()
    const record = (bytes: number) => ({ key: null, value: Buffer.alloc(bytes - recordOverheadBytes) })
    const many = Array.from({ length: 500 }, () => record(appendBytesMax / 500))
    t.equal(await log.append('plain', 0, [record(appendBytesMax)]), 0)
    t.equal(await log.append('plain', 0, many), 1)
    for (const entries of [[record(appendBytesMax + 1)], [...many, value('')], [record(3_000_000)]]) {
      const outcomes = await Promise.allSettled([
        log.append('plain', 0, entries),
        log.append('plain', 1, [value('a')]),
        log.append('plain', 0, [value('b')]),
      ])
      t.match(outcomes, [
        { status: 'rejected', reason: refused('too_large') },
        { status: 'fulfilled' },
        { status: 'fulfilled' },
      ])
    }
    t.same(await log.range('plain', 0), { oldest: 0, next: 504 })
  })

  check('closing ends what waits', async (t, open) => {
    const log = open()
    const reader = log.read('plain', 0, 0)
    const waiting = t.rejects(reader.next(), refused('closed'))
    reader.close()
    await waiting
    await t.rejects(reader.next(), refused('closed'))
    const other = log.read('plain', 0, 0)
    const alsoWaiting = t.rejects(other.next(), refused('closed'))
    await log.close()
    await alsoWaiting
    await t.rejects(log.append('plain', 0, [value('a')]), refused('closed'))
  })
}
