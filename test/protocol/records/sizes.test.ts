// Proves that every bound on sizes is below the next one up, from what a client may send to what a topic, a database and
// the engine take: the bounds as they are, and the largest of each kind, built and measured as it is encoded.
import t from 'tap'
import { chat } from '../../../apps/chat/chat.ts'
import { configSchema } from '../../../config/schema.ts'
import { frameBytesMax } from '../../../engine/frames.ts'
import { appendBatchMax, appendLaterMax } from '../../../log/append-lane.ts'
import { requestBytesMax } from '../../../log/kafka/producing.ts'
import { batchRoom } from '../../../log/kafka/wire/record-batch.ts'
import { recordBytes } from '../../../log/rules.ts'
import type { Effect } from '../../../protocol/app/contract.ts'
import { publicationJson } from '../../../protocol/client/publication.ts'
import { encodeAnswer } from '../../../protocol/records/answer.ts'
import { decodeCommand, encodeCommand } from '../../../protocol/records/command.ts'
import type { CommandRecord } from '../../../protocol/records/command.ts'
import { encodeParts } from '../../../protocol/records/event-batch.ts'
import {
  appendBytesMax,
  clientMessageBytesMax,
  commandBytesMax,
  commitBytesMax,
  messageBytesMax,
  recordBytesMax,
  recordOverheadBytes,
  topicBatchBytesMin,
  userBytesMax,
  answerPartBytesMax,
} from '../../../protocol/records/sizes.ts'
import { encodeStatus } from '../../../protocol/records/status.ts'
import { slotId } from '../../../protocol/slot.ts'
import { messageBytes } from '../../../store/message-size.ts'
import { appCommand } from '../../../worker/slot/handle.ts'
import { keysChunk } from '../../../worker/slot/prepare.ts'

/** The most that a setting can be set to. */
const highest = (setting: object) => (setting as { maximum: number }).maximum

t.test('what other folders bound is in the chain that sizes.ts checks', async (t) => {
  const chains = {
    'from a record to a topic': {
      'any record': recordBytesMax,
      'what a lane appends at once': appendBatchMax.bytes,
      "a batch of Kafka's": requestBytesMax.partition,
      'an append that every log takes': appendBytesMax,
      "a request of Kafka's": requestBytesMax.all,
    },
    'parts of an answer': { 'a part': answerPartBytesMax, 'what a lane sends of what may wait': appendLaterMax.bytes },
    'what the engine takes as one message': {
      'a commit': commitBytesMax,
      'the messages that keys lead to': keysChunk * messageBytesMax,
      'a frame': frameBytesMax,
    },
  }
  for (const [name, chain] of Object.entries(chains)) {
    const links = Object.entries(chain)
    for (const [index, [what, bytes]] of links.entries()) {
      const next = links[index + 1]
      if (next) t.ok(bytes < next[1], `${name}: ${what} (${bytes}) is below ${next[0]} (${next[1]})`)
    }
  }
  t.equal(highest(configSchema.properties.websocket.properties.message_size_limit), clientMessageBytesMax)
})

t.test('what an append counts for is more than Kafka makes of it', async (t) => {
  for (const count of [1, 2, appendBatchMax.entries, 5_000]) {
    const bytes = Math.floor(appendBytesMax / count) - recordOverheadBytes
    const entries = Array.from({ length: count }, () => ({ key: null, value: Buffer.alloc(bytes) }))
    t.ok(batchRoom(entries) <= topicBatchBytesMin, `${count} records`)
  }
})

/** Texts that are as long as they may be, and longest where they are written. */
const worst = { channel: '한'.repeat(255), user: '\u0001'.repeat(userBytesMax), instance: 'p-0123456789ab' }

function commandOf(more: Partial<CommandRecord>): CommandRecord {
  const { channel, user, instance } = worst
  return {
    producer: `${instance}.1000000`,
    n: Number.MAX_SAFE_INTEGER,
    instance,
    session: '01234567-0123-0123-0123-0123456789ab',
    user,
    channel,
    method: 'chat.messages',
    time: Number.MAX_SAFE_INTEGER,
    seed: '0123456789abcdef01234567',
    history: { size: 1_000_000, ttlMs: Number.MAX_SAFE_INTEGER },
    connInfo: null,
    takesParts: false,
    payload: Buffer.alloc(0),
    ...more,
  }
}

const sizeOf = (command: CommandRecord) =>
  recordBytes({ key: Buffer.from(command.channel), value: encodeCommand(command) })

t.test('any message of a client fits a command, where its token has no info', async (t) => {
  t.ok(sizeOf(commandOf({ payload: Buffer.alloc(clientMessageBytesMax) })) <= commandBytesMax)
})

t.test('what the largest commands make fits a record, to as many proxies as there are', async (t) => {
  const to = Array.from({ length: 300 }, (_, index) => `p-${String(index).padStart(12, '0')}`)
  const head = {
    slot: 'default/1023' as const,
    incarnation: 1_000_000,
    worker: 'w-0123456789ab',
    version: 'v'.repeat(63),
  }
  const room = commandBytesMax - sizeOf(commandOf({ method: 'chat.send', connInfo: '""' }))
  const keyed = { channel: worst.channel, key: 'k' }
  const data = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2))
  const commands = [
    commandOf({ method: 'publish', payload: Buffer.from(data(room)) }),
    commandOf({ method: 'publish', payload: Buffer.from('1'), connInfo: data(room - 10) }),
    commandOf({
      method: 'chat.send',
      payload: Buffer.from(JSON.stringify({ ...keyed, data: 'x'.repeat(room - 1_200) })),
    }),
  ]
  for (const command of commands) {
    t.ok(commandBytesMax - sizeOf(command) < 1_000 && sizeOf(command) <= commandBytesMax, 'as large as it may be')
    const streams = new Map([[worst.channel, { epoch: '01234567', top: 1_000_000, lastTime: 0 }]])
    const state = { worker: head.worker, version: head.version, channels: streams, known: new Map() }
    const [effects] = (await chat.handle(state, [appCommand(decodeCommand(encodeCommand(command)))])) as [Effect[]]
    const [{ message }] = effects as [Effect & { type: 'publish' }]
    t.ok(messageBytes(message) <= messageBytesMax, `a message of ${messageBytes(message)}`)
    const body = Buffer.from(publicationJson(message))
    const place = { offset: Number.MAX_SAFE_INTEGER, index: 499, epoch: '01234567', top: Number.MAX_SAFE_INTEGER }
    const event = { kind: 'publication' as const, to, channel: worst.channel, time: 1_800_000_000_000, ...place, body }
    const parts = encodeParts(head, [event])
    t.equal(parts.length, 1)
    t.ok(recordBytes({ key: null, value: parts[0]!.value }) <= recordBytesMax)
    const answer = {
      type: 'answer' as const,
      ...head,
      to: to[0]!,
      n: Number.MAX_SAFE_INTEGER,
      error: null,
      part: null,
      body,
    }
    t.ok(recordBytes({ key: null, value: encodeAnswer(answer) }) <= recordBytesMax)
  }
})

t.test('a heartbeat of a worker with every slot there can be', async (t) => {
  const slots = highest(configSchema.properties.topics.properties.slots)
  const most = Number.MAX_SAFE_INTEGER
  const ids = Array.from({ length: slots }, (_, index) => slotId('default', index))
  const beat = encodeStatus({
    type: 'heartbeat',
    role: 'worker',
    id: 'w-0123456789ab',
    pid: most,
    version: 'v'.repeat(63),
    internal: { host: 'x'.repeat(255), port: 65_535 },
    beat: most,
    state: 'draining',
    slots: ids.map((slot) => ({ slot, epoch: most, incarnation: most, nextOffset: most, waitingMs: most })),
    claimed: ids,
    inFlight: most,
    outbox: most,
  })
  t.ok(recordBytes({ key: null, value: beat }) <= recordBytesMax, `${beat.length} bytes`)
})
