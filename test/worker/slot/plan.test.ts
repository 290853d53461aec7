// Proves what a batch of records comes to before anything happens: in which order interest and
// publications take effect, what each event carries, and where a commit is cut.
import t from 'tap'
import { chat } from '../../../apps/chat/chat.ts'
import type { Effect } from '../../../protocol/app/contract.ts'
import { clockErrorMaxMs, timeAfter } from '../../../protocol/app/time.ts'
import { errors } from '../../../protocol/client/codes.ts'
import type { EventBatch } from '../../../protocol/records/event-batch.ts'
import { decodeInbox } from '../../../protocol/records/inbox.ts'
import { recordBytesMax } from '../../../protocol/records/sizes.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import { commandsOf, fingerprintOf, readBatch } from '../../../worker/slot/batch.ts'
import { appCommand } from '../../../worker/slot/handle.ts'
import type { SlotMemory, Channel } from '../../../worker/slot/memory.ts'
import type { OutboxChanges } from '../../../worker/slot/outbox.ts'
import { newChannel, planBatch } from '../../../worker/slot/plan.ts'
import { command, from, lease, mostlyPassedOver, records } from './slot-log.ts'

const slot: SlotId = 'default/0'

function memory(given: Partial<SlotMemory> = {}): SlotMemory {
  return { lease, token: 't', nextOffset: 5, fingerprint: null, producers: new Map(), tombstones: new Set(), ...given }
}

/** Plans a batch for the chat, with channels as they are given. */
function plan(
  values: Buffer[],
  channels: Channel[] = [],
  given: Partial<SlotMemory> = {},
  outbox: OutboxChanges = { done: [], narrowed: [], resync: [] },
) {
  const items = readBatch(memory(given), records(...values))
  const known = new Map(channels.map((channel) => [channel.name, channel]))
  for (const { command } of commandsOf(items)) {
    if (command.channel === '' || known.has(command.channel)) continue
    known.set(command.channel, newChannel(command.channel, memory(given).lease))
  }
  const state = { worker: 'w', version: 'v', channels: known, known: new Map() }
  const ofApp = commandsOf(items).filter(({ request }) => request === null)
  const effects = chat.handle(
    state,
    ofApp.map(({ command }) => appCommand(command)),
  ) as Effect[][]
  const outcomes = new Map(ofApp.map(({ offset }, index) => [offset, { effects: effects[index]!, failure: null }]))
  return planBatch({ memory: memory(given), worker: 'w', version: 'v', items, channels: known, outcomes, outbox })
}

const eventsFor = (instance: string, { commit }: ReturnType<typeof plan>) =>
  commit.outbox.flatMap(({ body }) => (decodeInbox(body, instance) as EventBatch | null)?.events ?? [])

t.test('records that are passed over are behind the slot all the same', async (t) => {
  const { commit } = plan(mostlyPassedOver, [], { producers: new Map([['p.1', 3]]), tombstones: new Set(['dead']) })
  t.same(commit.producers, [
    ['p.1', 9],
    ['q.1', 1],
  ])
  t.match(commit.deadLetters, [{ offset: 9, reason: 'format' }])
  t.match(commit, { expected: 5, next: 12, fingerprint: fingerprintOf(mostlyPassedOver.at(-1)!) })
})

t.test('interest takes effect in the order of the log', async (t) => {
  const planned = plan([
    command({ payload: Buffer.from('"before"') }),
    from('p1', { method: 'subscribe' }),
    command({ payload: Buffer.from('"between"') }),
    from('p2', { method: 'subscribe' }),
    from('p1', { method: 'close' }),
    command({ payload: Buffer.from('"after"') }),
  ])
  const kinds = (instance: string) =>
    eventsFor(instance, planned).map((event) => ('top' in event ? `${event.kind} ${event.top}` : event.kind))
  t.same(kinds('p1'), ['subscribed 1', 'publication 2', 'reply'])
  t.same(kinds('p2'), ['subscribed 2', 'publication 3'])
  t.same(planned.commit.interestAdded, [['room', 'p2']], 'what came and went within the batch leaves no row')
  t.same(planned.commit.interestRemoved, [])
  t.same([...planned.channels.get('room')!.interest], ['p2'])
  t.match(planned.commit.channels, [{ name: 'room', top: 3 }])
  t.same(
    planned.commit.messages.map(({ offset }) => offset),
    [1, 2, 3],
  )
})

t.test('events and reads carry the trace of their command, and of no other', async (t) => {
  const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const planned = plan([
    from('p1', { method: 'subscribe' }),
    from('p1', { trace }),
    from('p1', { method: 'history', payload: Buffer.from('{}'), trace }),
    from('p1'),
  ])
  t.same(
    eventsFor('p1', planned).map(({ kind, trace }) => [kind, trace]),
    [
      ['subscribed', undefined],
      ['publication', trace],
      ['reply', trace],
      ['publication', undefined],
      ['reply', undefined],
    ],
  )
  t.same(
    planned.reads.map(({ trace }) => trace),
    [trace],
  )
})

t.test('interest that a batch takes away and gives back', async (t) => {
  const room: Channel = { name: 'room', epoch: 'e', top: 4, lastTime: 9, interest: new Set(['p1']) }
  const planned = plan([from('p1', { method: 'close' }), from('p1', { method: 'subscribe' })], [room])
  t.same(planned.commit.interestAdded, [])
  t.same(planned.commit.interestRemoved, [])
  t.same([...room.interest], ['p1'], 'the channel it started from is untouched')
})

t.test('a channel without a message is there as long as somebody has it', async (t) => {
  const subscribe = from('a', { method: 'subscribe' })
  const opened = plan([subscribe])
  t.match(opened.commit.channels, [{ name: 'room', top: 0 }])
  t.same(opened.commit.interestAdded, [['room', 'a']])
  const [channel] = [...opened.channels.values()]

  const shared = plan([from('b', { method: 'subscribe' }), from('a', { method: 'close' })], [channel!])
  t.same(shared.commit.channelsRemoved, [])
  t.same(shared.commit.channels, [{ name: 'room', epoch: channel!.epoch, top: 0, lastTime: 0 }], 'its row is there')

  const left = plan([from('a', { method: 'close' })], [channel!])
  t.same([left.commit.channels, left.commit.channelsRemoved], [[], ['room']])
  t.same([[...left.channels], left.absent], [[], ['room']])

  const used = plan(
    [from('a', { method: 'publish', payload: Buffer.from('1') }), from('a', { method: 'close' })],
    [channel!],
  )
  t.same(used.commit.channelsRemoved, [], 'with a message it stays')
  t.match(used.commit.channels, [{ epoch: channel!.epoch, top: 1 }])

  const both = plan([from('a', { method: 'subscribe' }), from('a', { method: 'close' })])
  t.same([both.commit.channels, both.commit.interestAdded], [[], []], 'at once')
})

t.test('what only looks at a channel makes none', async (t) => {
  const history = Buffer.from(JSON.stringify({ limit: 10, since: null, reverse: false }))
  const looked = plan([
    from('a', { method: 'history', payload: history }),
    from('a', { method: 'chat.send', payload: Buffer.from('{"channel":"room"}') }),
    from('a', { method: 'close' }),
  ])
  t.same([looked.commit.channels, looked.absent], [[], ['room']])
  t.match(eventsFor('a', looked), [{ error: { code: errors.badRequest.code } }, { error: null }])
})

t.test('positions', async (t) => {
  const room: Channel = { name: 'room', epoch: 'e', top: 4, lastTime: 1_000, interest: new Set(['p1']) }
  const planned = plan(
    [from('p1'), from('p1', { method: 'tops', channel: '', payload: Buffer.from('["room","none"]') })],
    [room],
  )
  const events = eventsFor('p1', planned)
  t.same(
    events.map(({ kind, offset, index }) => [kind, offset, index]),
    [
      ['publication', 5, 0],
      ['reply', 5, 1],
      ['tops', 6, 0],
    ],
  )
  t.match(events[0], { epoch: 'e', top: 5, time: 1_000 }, 'no message is older than the one before')
  t.match(events[2], {
    tops: [
      ['room', 'e', 5],
      ['none', '', 0],
    ],
  })
  t.match(decodeInbox(planned.commit.outbox[0]!.body, 'p1'), { incarnation: 2, slot, worker: 'w', version: 'v' })
})

t.test('parts', async (t) => {
  const room: Channel = { name: 'room', epoch: 'e', top: 0, lastTime: 0, interest: new Set(['p1']) }
  const big = Buffer.from(JSON.stringify('x'.repeat(60_000)))
  const planned = plan(
    Array.from({ length: 40 }, () => command({ payload: big })),
    [room],
  )
  const { outbox } = planned.commit
  t.ok(outbox.length > 2)
  t.same(
    outbox.map(({ part }) => part),
    outbox.map((_, index) => index),
  )
  t.ok(outbox.every(({ batchEnd, body }) => batchEnd === 45 && body.length < recordBytesMax))
  t.same(
    eventsFor('p1', planned).map((event) => (event as { top: number }).top),
    Array.from({ length: 40 }, (_, i) => i + 1),
  )
})

t.test('tops of more names than one event holds', async (t) => {
  const names = Array.from({ length: 1_000 }, (_, index) => `${index}`.padEnd(255, '\u0001'))
  const payload = Buffer.from(JSON.stringify(names.slice(0, 500)))
  const planned = plan([from('p1', { method: 'tops', channel: '', payload }), from('p1')])
  const [event] = eventsFor('p1', planned)
  t.ok(event?.kind === 'tops' && event.tops.length > 100 && event.tops.length < 500)
  t.ok(planned.commit.outbox.every(({ body }) => body.length < recordBytesMax))
  t.equal(eventsFor('p1', planned).length, 2, 'what follows is answered')
})

t.test('the time of a message, by clocks that are wrong', async (t) => {
  const after = (lastTime: number, time: number) => timeAfter({ epoch: 'e', top: 1, lastTime }, time)
  t.equal(after(1_000, 999), 1_000, 'no message is older than the one before')
  t.equal(after(1_000, 86_400_000), 86_400_000)
  t.equal(after(clockErrorMaxMs + 5, 5), clockErrorMaxMs + 5)
  t.equal(after(clockErrorMaxMs + 6, 5), 5, 'unless that was sent by a clock that was wrong')
  const room: Channel = { name: 'room', epoch: 'e', top: 0, lastTime: 0, interest: new Set(['p1']) }
  const times = [1_000, 4_000_000_000_000, 1_001, 900]
  const { messages, channels } = plan(
    times.map((time) => from('p1', { time })),
    [room],
  ).commit
  t.same(
    messages.map(({ time }) => time),
    [1_000, 4_000_000_000_000, 1_001, 1_001],
  )
  t.match(channels, [{ name: 'room', top: 4, lastTime: 1_001 }])
})

t.test('who has missed older rows is told so before the events of the batch', async (t) => {
  const room: Channel = { name: 'room', epoch: 'e', top: 3, lastTime: 0, interest: new Set(['p', 'q']) }
  const changes = {
    done: [{ batchEnd: 4, part: 0 }],
    narrowed: [{ batchEnd: 5, part: 1, inboxes: ['q'] }],
    resync: ['p', 'slow'],
  }
  const { commit } = plan([from('p')], [room], {}, changes)
  t.same(
    commit.outbox.map(({ batchEnd, part, inboxes }) => ({ batchEnd, part, inboxes })),
    [
      { batchEnd: 6, part: 0, inboxes: ['p', 'slow'] },
      { batchEnd: 6, part: 1, inboxes: ['p', 'q'] },
    ],
  )
  t.match(decodeInbox(commit.outbox[0]!.body, 'slow'), { type: 'resync', slot, to: ['p', 'slow'] })
  t.same(commit.outboxDone, changes.done)
  t.same(commit.outboxNarrowed, changes.narrowed)
})
