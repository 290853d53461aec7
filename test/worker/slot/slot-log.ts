/** The log of a slot whose owner took it at 5, and what stands in it, for the tests of batches and plans. */
import type { CommandRecord } from '../../../protocol/records/command.ts'
import { commandOf } from '../../support/records.ts'

/** The lease of a slot that was taken at 5. */
export const lease = {
  slot: 'default/0',
  token: 't',
  owner: 'w',
  version: 'v',
  epoch: 1,
  nextOffset: 5,
  incarnation: 2,
  fingerprint: null,
  trying: null,
  attempts: 0,
  killed: null,
  origin: 'o',
} as const

let n = 0

/** A command, with a number above all before it unless one is given. */
export const command = (given: Partial<CommandRecord>): Buffer => commandOf({ channel: 'room', n: ++n, ...given })

/** A command of an instance, by its own producer. */
export const from = (instance: string, given: Partial<CommandRecord> = {}): Buffer =>
  command({ instance, producer: `${instance}.1`, ...given })

/** Records as they stand in the log, from 5 on. */
export const records = (...values: Buffer[]) => values.map((value, index) => ({ offset: 5 + index, key: null, value }))

/** Commands of which only the second, the fourth and the last count, where p.1 is at 3 and `dead` is gone. */
export const mostlyPassedOver = [
  command({ producer: 'p.1', n: 3 }),
  command({ producer: 'p.1', n: 4 }),
  command({ producer: 'p.1', n: 4 }),
  command({ producer: 'q.1', n: 1 }),
  Buffer.from('none of ours'),
  command({ producer: 'dead.1', instance: 'dead', n: 1 }),
  command({ producer: 'p.1', n: 9 }),
]
