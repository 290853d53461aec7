/** Records as processes write them that are not there. */
import { encodeCommand } from '../../protocol/records/command.ts'
import type { CommandRecord } from '../../protocol/records/command.ts'
import { encodeParts } from '../../protocol/records/event-batch.ts'
import type { EventBatch } from '../../protocol/records/event-batch.ts'

/** A command as a proxy that is not there would have sent it. */
export function commandOf(command: Partial<CommandRecord> & { channel: string; n: number }): Buffer {
  return encodeCommand({
    producer: 'p-elsewhere.1',
    instance: 'p-elsewhere',
    session: 's',
    user: 'u',
    method: 'publish',
    time: 1,
    seed: `seed${command.n}`.padEnd(24, '0'),
    history: { size: 100, ttlMs: 1_000_000 },
    connInfo: null,
    takesParts: false,
    payload: Buffer.from('null'),
    ...command,
  })
}

/** The events of a batch, of which there is one at least, as one record, however large it is. */
export function encodeEvents(batch: EventBatch): Buffer {
  return encodeParts(batch, batch.events, Infinity)[0]!.value
}
