/**
 * Proves the rules of a channel by themselves: what happens to it goes in, and out comes step by step what is to be done.
 * Last, for any course of events: each subscribe is answered once, nobody is in a channel twice, and whoever is subscribed
 * gets each publication once and in order, until told that the subscription is over.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { errors, unsubscribes } from '../../../protocol/client/codes.ts'
import type { SlotEvent } from '../../../protocol/records/event.ts'
import { isEmpty, liveBytesMax, newChannel } from '../../../proxy/channels/channel.ts'
import type { Channel, Joining } from '../../../proxy/channels/channel.ts'
import {
  compared,
  expired,
  join,
  leave,
  opened,
  published,
  readFirst,
  startAnew,
  unopened,
} from '../../../proxy/channels/machine.ts'
import type { Step, Steps } from '../../../proxy/channels/machine.ts'
import type { MissedPage } from '../../../proxy/channels/missed.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { holds } from '../../support/holds.ts'
import { sessionOf } from '../../support/session.ts'

/** A client that subscribes from an offset of the stream `e`, from nowhere when that is null. */
function joiningOf(session: Session, from: number | null = null, given: Partial<Joining> = {}): Joining {
  return {
    id: 1,
    session,
    recover: from === null ? null : { epoch: 'e', offset: from },
    rejectUnrecovered: false,
    isRecoverable: true,
    isPositioned: true,
    wasRecovering: from !== null,
    history: { size: 10, ttlMs: 1_000 },
    expiresAt: 0,
    startedAt: 0,
    deadlineAt: 1_000,
    live: null,
    read: null,
    hasCaughtUp: false,
    ...given,
  }
}

const openedBy = (n: number, top: number): SlotEvent & { kind: 'subscribed' } => {
  return { kind: 'subscribed', offset: 0, index: 0, to: [], n, channel: 'room', epoch: 'e', top }
}

function publication(top: number, epoch = 'e', body = String(top)): SlotEvent & { kind: 'publication' } {
  const place = { offset: 0, index: 0, to: [] }
  return { kind: 'publication', ...place, channel: 'room', epoch, top, time: 0, body: Buffer.from(body) }
}

/** Publications after one offset up to another. */
const between = (after: number, upTo: number): string[] =>
  Array.from({ length: Math.max(0, upTo - after) }, (_, at) => String(after + at + 1))

/** A channel that is open at an offset of `e`; opened by command 1 at time 0. */
function openAt(top: number): Channel {
  const channel = newChannel('room', 'default/0', 1)
  told(opened(channel, openedBy(1, top), 0))
  return channel
}

/** What a rule says, a line a step. */
function told(steps: Steps): string[] {
  return Array.from(steps, (step) => [step.do, ...partsOf(step)].join(' '))
}

function partsOf(step: Step): (string | number)[] {
  switch (step.do) {
    case 'settle':
      return []
    case 'publish':
      return [step.publication]
    case 'joined': {
      const how = step.result.recovered ? ['recovered'] : []
      return [step.joining.session.id, 'at', step.result.offset!, ...how, ...step.publications]
    }
    case 'failed':
      return [step.joining.session.id, step.error.message]
    case 'read':
      return [step.joining.session.id, step.read.after, 'to', step.read.upTo]
    case 'send':
      return [step.session.id, ...step.publications]
    case 'let behind':
      return [step.session.id, 'at', step.at]
    case 'unsubscribe':
      return [step.session.id, step.reason.reason]
    case 'report':
      return [step.why]
  }
}

const ada = sessionOf('ada')
const bob = sessionOf('bob')
const eve = sessionOf('eve')

void t.test('sessions wait until the slot has opened the channel, and begin at its top', async (t) => {
  const channel = newChannel('room', 'default/0', 7)
  t.strictSame(told(join(channel, joiningOf(ada))), [])
  t.strictSame(told(join(channel, joiningOf(bob))), [])
  t.strictSame(told(published(channel, publication(4))), [], 'it is part of the top that opens the channel')
  t.strictSame(told(opened(channel, openedBy(6, 3), 0)), [], 'of a time before the channel was closed')
  t.strictSame(told(opened(channel, openedBy(7, 4), 0)), ['settle', 'joined ada at 4', 'settle', 'joined bob at 4'])
  t.strictSame(told(opened(channel, openedBy(7, 4), 0)), [], 'it is open')
  t.strictSame(told(join(channel, joiningOf(eve))), ['settle', 'joined eve at 4'], 'at once')
})

void t.test('a channel that is not opened answers whoever waits', async (t) => {
  const channel = newChannel('room', 'default/0', 7)
  for (const session of [ada, bob]) told(join(channel, joiningOf(session)))
  t.strictSame(told(unopened(channel, 6)), [], 'another subscribe')
  t.strictSame(told(unopened(channel, 7)), ['failed ada internal server error', 'failed bob internal server error'])
  t.ok(isEmpty(channel))
})

void t.test('publications go to all, each once and in order', async (t) => {
  const channel = openAt(4)
  told(join(channel, joiningOf(ada)))
  t.strictSame(told(published(channel, publication(5))), ['publish 5'])
  t.strictSame(told(published(channel, publication(5))), [], 'again')
  t.strictSame(told(published(channel, publication(3))), [], 'of before')
  t.strictSame(told(published(channel, publication(6))), ['publish 6'])
})

void t.test('after a gap everybody starts anew, and the channel with them', async (t) => {
  const channel = openAt(4)
  told(join(channel, joiningOf(ada)))
  told(join(channel, joiningOf(bob, 2)))
  const ends = ['unsubscribe ada insufficient state', 'failed bob internal server error']
  t.strictSame(told(published(channel, publication(6))), ['report gap', 'settle', ...ends])
  t.ok(isEmpty(channel), 'and may be closed')
})

void t.test('of another stream nothing is passed on', async (t) => {
  const channel = openAt(4)
  told(join(channel, joiningOf(ada)))
  t.strictSame(told(published(channel, publication(5, 'f'))), [
    'report epoch',
    'settle',
    'unsubscribe ada state invalidated',
  ])
})

void t.test('who leaves gets no more; a subscribe that is given up has its answer', async (t) => {
  const channel = openAt(4)
  told(join(channel, joiningOf(ada)))
  told(join(channel, joiningOf(bob, 2)))
  t.strictSame(told(leave(channel, ada)), ['settle'], 'what was gathered before is still its own')
  t.strictSame(told(leave(channel, bob)), ['settle', 'failed bob internal server error'])
  t.ok(isEmpty(channel))
})

void t.test('who was here before gets what it missed, then what came meanwhile', async (t) => {
  const channel = openAt(5)
  const joining = joiningOf(ada, 2)
  t.strictSame(told(join(channel, joining)), ['read ada 2 to 5'])
  t.strictSame(told(published(channel, publication(6))), [], 'nobody is subscribed yet')
  const page = { publications: between(2, 5) }
  t.strictSame(told(readFirst(channel, joining, page)), ['joined ada at 2 recovered 3 4 5', 'settle', 'send ada 6'])
  t.strictSame(told(published(channel, publication(7))), ['publish 7'])
  t.strictSame(told(join(channel, joiningOf(bob, 7))), ['settle', 'joined bob at 7 recovered'], 'nothing was missed')
})

void t.test('one that the first page does not bring up to now is let behind', async (t) => {
  const channel = openAt(5)
  const some = joiningOf(ada, 2)
  told(join(channel, some))
  const steps = told(readFirst(channel, some, { publications: ['3'] }))
  t.strictSame(steps, ['joined ada at 2 recovered 3', 'let behind ada at 3'], 'the page had no room for more')

  const late = joiningOf(bob, 2)
  told(join(channel, late))
  told(published(channel, publication(6, 'e', 'x'.repeat(liveBytesMax + 1))))
  t.equal(late.live, null, 'what comes meanwhile is not kept without bound')
  const all = told(readFirst(channel, late, { publications: between(2, 5) }))
  t.strictSame(all, ['joined bob at 2 recovered 3 4 5', 'let behind bob at 5'])
})

void t.test('what is not to be had is not recovered: a new start, or an error for who asked for that', async (t) => {
  const channel = openAt(5)
  const anew = joiningOf(ada, 2)
  told(join(channel, anew))
  const gone: MissedPage = { error: errors.unrecoverablePosition }
  t.strictSame(told(readFirst(channel, anew, gone)), ['settle', 'joined ada at 5'])
  const strict = joiningOf(bob, 2, { rejectUnrecovered: true })
  told(join(channel, strict))
  t.strictSame(told(readFirst(channel, strict, gone)), ['failed bob unrecoverable position'])
  const unlucky = joiningOf(bob, 2)
  told(join(channel, unlucky))
  t.strictSame(told(readFirst(channel, unlucky, { error: errors.internal })), ['failed bob internal server error'])
  const foreign = joiningOf(eve, null, { recover: { epoch: 'f', offset: 2 } })
  t.strictSame(told(join(channel, foreign)), ['settle', 'joined eve at 5'], 'of another stream')
})

void t.test('who saw more than this proxy has: its slot is asked whether that exists', async (t) => {
  const ahead = () => {
    const channel = openAt(5)
    const joining = joiningOf(ada, 7)
    t.strictSame(told(join(channel, joining)), ['read ada 6 to 7'])
    return { channel, joining }
  }
  const late = ahead()
  t.strictSame(
    told(readFirst(late.channel, late.joining, { publications: ['7'] })),
    ['failed ada internal server error'],
    'it does, and is not here yet: the client asks again',
  )
  const here = ahead()
  for (const top of [6, 7]) told(published(here.channel, publication(top)))
  const steps = told(readFirst(here.channel, here.joining, { publications: ['7'] }))
  t.strictSame(steps, ['settle', 'joined ada at 7 recovered'], 'it has come meanwhile')
  const gone = ahead()
  const refused = { error: errors.unrecoverablePosition }
  t.strictSame(told(readFirst(gone.channel, gone.joining, refused)), ['settle', 'joined ada at 5'], 'it is no more')
})

void t.test('where the slot says that the channel is', async (t) => {
  const channel = openAt(5)
  told(join(channel, joiningOf(ada)))
  t.strictSame(told(compared(channel, { epoch: 'e', top: 5 }, 1)), [])
  t.strictSame(told(compared(channel, { epoch: 'f', top: 9 }, -1)), [], 'asked before it opened')
  const opening = newChannel('room', 'default/0', 2)
  t.strictSame(told(compared(opening, { epoch: 'f', top: 9 }, 1)), [])
  t.strictSame(told(compared(channel, { epoch: 'e', top: 6 }, 1)), [
    'report top',
    'settle',
    'unsubscribe ada insufficient state',
  ])
  told(join(channel, joiningOf(ada)))
  t.match(told(compared(channel, { epoch: 'f', top: 5 }, 1)), [
    'report epoch',
    'settle',
    'unsubscribe ada state invalidated',
  ])
})

void t.test('a subscribe ends at its deadline, and not before', async (t) => {
  const channel = newChannel('room', 'default/0', 1)
  told(join(channel, joiningOf(ada, null, { deadlineAt: 1_000 })))
  told(join(channel, joiningOf(bob, null, { deadlineAt: 2_000 })))
  t.strictSame(told(expired(channel, 999)), [])
  t.strictSame(told(expired(channel, 1_000)), ['failed ada internal server error'])
  t.strictSame(
    [...channel.joining.keys()].map(({ id }) => id),
    ['bob'],
  )
})

/** A client as it understands what it is told. */
interface Client {
  session: Session
  state: 'out' | 'joining' | 'in' | 'behind'
  at: number
}

/** A slot that publishes, a channel of a proxy, and its clients, who check all that they are told. */
class World {
  readonly clients: Client[] = [ada, bob, eve].map((session) => ({ session, state: 'out', at: 0 }))
  /** Of the slot. */
  top = 3
  readonly seen = new Set<string>()
  #channel = newChannel('room', 'default/0', 1)
  #opening = 1
  #now = 0

  act({ do: what, who, number }: Action): void {
    this.#now++
    const channel = this.#channel
    const client = this.clients[who]!
    const { joining } = channel
    const reading = [...joining.values()].find(({ read }) => read !== null)
    if (what === 'open') this.#run(opened(channel, openedBy(this.#opening, this.top), this.#now))
    else if (what === 'join' && client.state === 'out') this.#join(client, number)
    else if (what === 'leave') this.#leave(client)
    else if (what === 'publish') this.#publish(++this.top)
    else if (what === 'publish again') this.#publish(Math.max(1, this.top - number))
    else if (what === 'lose one') this.#publish((this.top += 2))
    else if (what === 'compare') this.#run(compared(channel, { epoch: 'e', top: this.top }, this.#now))
    else if (what === 'resync') this.#run(startAnew(channel, unsubscribes.insufficient, 'resync'))
    else if (what === 'expire') this.#run(expired(channel, number * 10))
    else if (what === 'read' && reading) this.#run(readFirst(channel, reading, this.#page(reading, number)))
    this.#check()
  }

  #join(client: Client, number: number): void {
    const from = number === 0 ? null : this.top + 3 - number
    client.state = 'joining'
    const rejectUnrecovered = number === 1
    const recover = from !== null && from >= 0 ? from : null
    this.#run(join(this.#channel, joiningOf(client.session, recover, { rejectUnrecovered, deadlineAt: 20 })))
  }

  #leave(client: Client): void {
    this.#channel.behind.delete(client.session)
    const wasJoining = client.state === 'joining'
    this.#run(leave(this.#channel, client.session))
    if (wasJoining) assert.equal(client.state, 'out', 'a subscribe that is given up is answered')
    client.state = 'out'
  }

  #publish(top: number): void {
    this.#run(published(this.#channel, publication(top)))
  }

  /** All that was asked for, the first of it, or none of it. */
  #page({ read }: Joining, number: number): MissedPage {
    if (number === 0) return { error: errors.unrecoverablePosition }
    if (number === 1) return { error: errors.internal }
    const all = between(read!.after, read!.upTo)
    return { publications: number === 2 ? all.slice(0, 1) : all }
  }

  #run(steps: Steps): void {
    for (const step of steps) this.#take(step)
    // As its proxy does: it is closed, and another one opened.
    if (isEmpty(this.#channel)) this.#channel = newChannel('room', 'default/0', ++this.#opening)
  }

  #take(step: Step): void {
    this.seen.add(step.do)
    switch (step.do) {
      case 'settle':
      case 'report':
        return
      case 'read':
        return assert.equal(this.#of(step.joining.session).state, 'joining')
      case 'publish':
        for (const session of this.#channel.sessions) this.#gets(this.#of(session), [step.publication])
        return
      case 'joined': {
        const client = this.#of(step.joining.session)
        assert.equal(client.state, 'joining')
        const { recover } = step.joining
        client.at = step.result.offset!
        if (step.result.recovered) assert.equal(client.at, recover!.offset, 'it goes on where it was')
        client.state = 'in'
        return this.#gets(client, step.publications)
      }
      case 'failed': {
        const client = this.#of(step.joining.session)
        assert.equal(client.state, 'joining')
        client.state = 'out'
        return
      }
      case 'send':
        return this.#gets(this.#of(step.session), step.publications)
      case 'let behind': {
        const { session, at } = step
        const client = this.#of(session)
        assert.deepEqual([client.state, client.at], ['in', at])
        client.state = 'behind'
        this.#channel.behind.set(session, { session, at, readUpTo: null, live: null })
        return
      }
      case 'unsubscribe': {
        const client = this.#of(step.session)
        assert.match(client.state, /^(?:in|behind)$/)
        this.#channel.behind.delete(step.session)
        client.state = 'out'
      }
    }
  }

  #gets(client: Client, publications: string[]): void {
    assert.equal(client.state, 'in')
    for (const publication of publications) assert.equal(Number(publication), ++client.at, 'the next one')
  }

  #check(): void {
    const { sessions, joining, behind, top } = this.#channel
    for (const client of this.clients) {
      const { session, state } = client
      const places = { joining: joining.has(session), in: sessions.has(session), behind: behind.has(session) }
      const found = Object.entries(places).flatMap(([name, isThere]) => (isThere ? [name] : []))
      assert.deepEqual(found, state === 'out' ? [] : [state])
      if (state === 'in') assert.equal(client.at, top, 'it has all that there is')
    }
  }

  #of(session: Session): Client {
    return this.clients.find((client) => client.session === session)!
  }
}

interface Action {
  do: (typeof actions)[number]
  who: number
  number: number
}

const actions = [
  ...['open', 'open', 'join', 'join', 'join', 'leave', 'publish', 'publish', 'publish', 'publish again'],
  ...['lose one', 'compare', 'resync', 'expire', 'read', 'read', 'read'],
] as const

void t.test('whatever happens, nobody is told anything twice, out of order or not at all', async (t) => {
  const action = fc.record({ do: fc.constantFrom(...actions), who: fc.nat({ max: 2 }), number: fc.nat({ max: 6 }) })
  const seen = new Set<string>()
  holds(
    t,
    fc.property(fc.array(action, { minLength: 10, maxLength: 60, size: 'max' }), (course) => {
      const world = new World()
      for (const each of course) world.act(each)
      for (const what of world.seen) seen.add(what)
    }),
    { numRuns: 500 },
  )
  t.equal(seen.size, 9, `all kinds of steps were taken: ${[...seen].join(', ')}`)
})
