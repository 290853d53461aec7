import { hash } from 'node:crypto'
import type { LogRecord } from '../../log/log.ts'
import { decodeCommand } from '../../protocol/records/command.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { FormatError } from '../../protocol/records/errors.ts'
import { decodeRequest } from '../../protocol/records/runtime.ts'
import type { RuntimeRequest } from '../../protocol/records/runtime.ts'
import type { SlotMemory } from './memory.ts'

/** A command that is to be handled. */
export interface BatchCommand {
  offset: number
  value: Buffer
  dropped: null
  command: CommandRecord
  /** What is asked of the slot itself; null when the command is the app's. */
  request: RuntimeRequest | null
}

/** A record that is passed over, and why: it was handled before, comes from an instance that is gone, is unreadable. */
export interface DroppedRecord {
  offset: number
  value: Buffer
  dropped: 'duplicate' | 'tombstone' | 'format'
}

/** A record that was read, whatever becomes of it: each of them moves the slot on. */
export type BatchItem = BatchCommand | DroppedRecord

/** Decodes records and drops those that were handled before, or come from an instance that is gone. Pure. */
export function readBatch(
  { producers, tombstones }: Pick<SlotMemory, 'producers' | 'tombstones'>,
  records: LogRecord[],
): BatchItem[] {
  const last = new Map<string, number>()
  const gone = new Set<string>()
  return records.map(({ offset, value }): BatchItem => {
    const read = decode(value)
    if (read === null) return { offset, value, dropped: 'format' }
    const { command, request } = read
    const isGone = tombstones.has(command.instance) || gone.has(command.instance)
    if (isGone) return { offset, value, dropped: 'tombstone' }
    const known = last.get(command.producer) ?? producers.get(command.producer) ?? 0
    if (command.n <= known) return { offset, value, dropped: 'duplicate' }
    last.set(command.producer, command.n)
    if (request?.method === 'gone') gone.add(request.instance)
    return { offset, value, dropped: null, command, request }
  })
}

/** Those of a batch that are handled. */
export function commandsOf(items: BatchItem[]): BatchCommand[] {
  return items.filter((item) => item.dropped === null)
}

/** Channels that a batch needs. */
export function channelsOf(items: BatchItem[]): Set<string> {
  const names = new Set<string>()
  for (const { command, request } of commandsOf(items)) {
    if (request?.method === 'tops') for (const name of request.channels) names.add(name)
    else if (command.channel !== '') names.add(command.channel)
  }
  return names
}

/** Tells one record from any other that could stand at its place. */
export function fingerprintOf(value: Buffer): string {
  return hash('sha256', value, 'hex').slice(0, 16)
}

function decode(value: Buffer): { command: CommandRecord; request: RuntimeRequest | null } | null {
  try {
    const command = decodeCommand(value)
    return { command, request: decodeRequest(command.method, command.payload) }
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}
