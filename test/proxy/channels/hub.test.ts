/**
 * Proves the registry of channels: the first session opens a channel at its slot, whoever comes meanwhile waits with it, the
 * last one closes it, and an event for a channel that nobody has closes it once more. What a channel makes of what happens
 * to it stands in machine.test.ts.
 */
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import type { ServerMessage } from '../../../protocol/client/message.ts'
import type { SlotEvent } from '../../../protocol/records/event.ts'
import { decodeRequest } from '../../../protocol/records/runtime.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import type { SubscribeRequest } from '../../../proxy/channels/channel.ts'
import { Hub } from '../../../proxy/channels/hub.ts'
import type { Output } from '../../../proxy/sessions/output.ts'
import { ReadBudget } from '../../../proxy/sessions/read-budget.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import type { Outcome, Request } from '../../../proxy/uplink/request.ts'
import type { Uplink } from '../../../proxy/uplink/uplink.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { sessionOf } from '../../support/session.ts'

const slot: SlotId = 'default/0'
const replyDeadlineMs = 5_000

const fresh: SubscribeRequest = {
  id: 1,
  recover: null,
  rejectUnrecovered: false,
  isRecoverable: true,
  isPositioned: true,
  wasRecovering: false,
  history: { size: 10, ttlMs: 1_000 },
  expiresAt: 0,
}

/** A hub, and line by line what it asks of slots and what it says of sessions. */
class Rig {
  readonly clock = new ManualClock()
  readonly env = testEnv({ clock: this.clock })
  readonly said: string[] = []
  readonly hub: Hub
  /** Commands that are not sent yet, and can be taken back. */
  readonly unsent = new Set<number>()
  isFull = false
  overdue: SlotId[] = []
  #n = 0

  constructor() {
    const uplink = {
      slotOf: () => slot,
      send: (request: Request) => this.#send(request),
      cancel: (_slot: SlotId, n: number) => this.unsent.delete(n),
      overdueSlots: () => this.overdue,
    } as unknown as Uplink
    const output = {
      settle: () => {},
      publish: (
        { sessions }: { sessions: Iterable<Session> },
        { publication }: ServerMessage & { kind: 'publication' },
      ) => void this.said.push(`${[...sessions].map(({ id }) => id).join(' and ')} get ${publication}`),
      send: ({ id }: Session, { kind }: ServerMessage) => void this.said.push(`${id} is told: ${kind}`),
      hasRoom: () => true,
      whenWritten: () => {},
    } as unknown as Output
    this.hub = new Hub(this.env, uplink, output, new ReadBudget(this.clock, { rate: 1, burst: 1 }), {
      replyDeadlineMs,
      recoveryLimit: 10,
      joined: (channel, { session }) => void this.said.push(`${session.id} has ${channel}`),
      failed: (channel, { session }, { message }) => void this.said.push(`${session.id} has no ${channel}: ${message}`),
      dropped: ({ id }, channel) => void this.said.push(`${id} loses ${channel}`),
    })
  }

  subscribe(session: Session, channel = 'room'): void {
    this.hub.subscribe(session, channel, fresh)
  }

  opened(n: number, channel = 'room', top = 0): void {
    this.hub.subscribed({ kind: 'subscribed', ...place, n, channel, epoch: 'e', top })
  }

  published(top: number, channel = 'room'): void {
    const body = Buffer.from(String(top))
    const event: SlotEvent = { kind: 'publication', ...place, channel, epoch: 'e', top, time: 0, body }
    this.hub.publication(event, 'v')
  }

  /** All that was said since the last time. */
  get news(): string[] {
    return this.said.splice(0)
  }

  #send({ method, channel, payload, isExempt }: Request): number | typeof errors.tooManyRequests {
    if (this.isFull && !isExempt) return errors.tooManyRequests
    const request = decodeRequest(method, payload)
    const what = request?.method === 'tops' ? request.channels.join(' and ') : channel
    this.said.push([method, what].filter(Boolean).join(' '))
    return ++this.#n
  }
}

const place = { offset: 0, index: 0, to: [] }
const done: Outcome = { error: null, body: Buffer.alloc(0), version: 'v' }
const [ada, bob] = [sessionOf('ada'), sessionOf('bob')]

void t.test('the first session opens a channel, and whoever comes meanwhile waits with it', async (t) => {
  const rig = new Rig()
  rig.subscribe(ada)
  rig.subscribe(bob)
  t.strictSame(rig.news, ['subscribe room'], 'once')
  rig.opened(1)
  t.strictSame(rig.news, ['ada has room', 'bob has room'])
  rig.published(1)
  t.strictSame(rig.news, ['ada and bob get 1'])
})

void t.test('the last one closes it', async (t) => {
  const rig = new Rig()
  rig.subscribe(ada)
  rig.subscribe(bob)
  rig.opened(1)
  rig.hub.leave(ada, 'room')
  rig.hub.leave(ada, 'elsewhere')
  rig.said.length = 0
  rig.hub.leave(bob, 'room')
  t.strictSame(rig.news, ['close room'])
  rig.subscribe(ada)
  t.strictSame(rig.news, ['subscribe room'], 'who comes now opens it anew')
  rig.opened(1)
  t.strictSame(rig.news, [], 'by its own subscribe, not by one of before')
  rig.opened(3)
  t.strictSame(rig.news, ['ada has room'])
})

void t.test('a channel that was never asked for is not closed either', async (t) => {
  const rig = new Rig()
  rig.subscribe(ada)
  rig.unsent.add(1)
  rig.hub.leave(ada, 'room')
  t.strictSame(rig.news, ['subscribe room', 'ada has no room: internal server error'], 'it is taken back')
})

void t.test('where no more may be in flight a channel is not opened', async (t) => {
  const rig = new Rig()
  rig.isFull = true
  rig.subscribe(ada)
  t.strictSame(rig.news, ['ada has no room: too many requests'])
  rig.isFull = false
  rig.subscribe(ada)
  t.strictSame(rig.news, ['subscribe room'], 'nothing is left of it')
})

void t.test('an event for a channel that nobody has closes it once more, until that is answered', async (t) => {
  const rig = new Rig()
  rig.published(1)
  rig.published(2)
  rig.opened(9)
  t.strictSame(rig.news, ['close room'], 'once')
  rig.hub.settled({ for: 'close', channel: 'room' }, 7, done)
  rig.published(3)
  t.strictSame(rig.news, [], 'that was another one')
  rig.hub.settled({ for: 'close', channel: 'room' }, 1, done)
  rig.published(4)
  t.strictSame(rig.news, ['close room'])
})

void t.test(
  'a subscribe that the slot does not answer ends, by its own deadline or by that of the command',
  async (t) => {
    const late = new Rig()
    late.subscribe(ada)
    late.clock.advance(replyDeadlineMs - 1)
    late.hub.expire()
    t.strictSame(late.news, ['subscribe room'])
    late.clock.advance(1)
    late.hub.expire()
    t.strictSame(late.news, ['ada has no room: internal server error', 'close room'])
    const lost = new Rig()
    lost.subscribe(ada)
    lost.hub.settled({ for: 'open', channel: 'room' }, 1, { ...done, error: errors.internal })
    t.strictSame(lost.news, ['subscribe room', 'ada has no room: internal server error', 'close room'])
  },
)

void t.test('a gap ends the subscriptions, and the channel with them', async (t) => {
  const rig = new Rig()
  rig.subscribe(ada)
  rig.opened(1, 'room', 4)
  rig.said.length = 0
  rig.published(6)
  t.strictSame(rig.news, ['ada loses room', 'ada is told: unsubscribed', 'close room'])
})

void t.test('a slot that could not tell everything takes all its channels along', async (t) => {
  const rig = new Rig()
  for (const [at, channel] of ['a', 'b'].entries()) {
    rig.subscribe(ada, channel)
    rig.opened(at + 1, channel)
  }
  rig.said.length = 0
  rig.hub.resync('default/1')
  t.strictSame(rig.news, [], 'another slot')
  rig.hub.resync(slot)
  t.strictSame(
    rig.news.filter((line) => /loses|close/.test(line)),
    ['ada loses a', 'close a', 'ada loses b', 'close b'],
  )
})

void t.test('positions are compared for channels that are open, and asked of slots that owe answers', async (t) => {
  const rig = new Rig()
  rig.subscribe(ada, 'open')
  rig.opened(1, 'open')
  rig.subscribe(ada, 'opening')
  rig.said.length = 0
  rig.hub.checkPositions()
  t.strictSame(rig.news, ['tops open'])
  rig.hub.tops([['open', 'e', 5]], rig.clock.monotonic(), 'v2')
  t.match(rig.news, ['ada loses open'])
  t.strictSame(rig.hub.violations.counts, { v2: 1 }, 'it counts against the version that told')
  const idle = new Rig()
  idle.hub.checkPositions()
  t.strictSame(idle.news, [])
  idle.overdue = [slot]
  idle.hub.checkPositions()
  t.strictSame(idle.news, ['tops'], 'an answer to whatever question shows what is lost before it')
})
