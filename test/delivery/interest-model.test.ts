// Proves, for any course of joins, leaves, disconnects, timeouts, publications, late events and stalled connections: a slot's interest ends
// up being what the proxy has open; a session that was told a position gets every later publication once and in order
// for as long as it stays; one that left gets nothing; every command is answered exactly once.
import * as fc from 'fast-check'
import t from 'tap'
import type { Test } from 'tap'
import { backlogLookMs } from '../../proxy/sessions/output.ts'
import { clusterByHand, commands } from '../harness/by-hand.ts'
import { Gate } from '../support/gate.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { commandOf } from '../support/records.ts'
import { ModelSlot } from './model-slot.ts'
import { Subscriber } from './subscriber.ts'

const channels = ['red', 'blue']

type Step =
  | { do: 'join'; who: number; channel: string; recover: 'fresh' | 'last' | 'lost' }
  | { do: 'leave'; who: number; channel: string }
  | { do: 'drop' | 'stall' | 'flow'; who: number }
  | { do: 'publish'; channel: string }
  | { do: 'handle' | 'deliver' | 'answer'; count: number }
  | { do: 'hold' | 'free' | 'turn' | 'flow through' }
  | { do: 'wait'; ms: number }

const who = fc.integer({ min: 0, max: 3 })
const channel = fc.constantFrom(...channels)
const recover = fc.constantFrom('fresh' as const, 'last' as const, 'last' as const, 'lost' as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('join' as const), who, channel, recover }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('leave' as const), who, channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('publish' as const), channel }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom('handle' as const, 'deliver', 'answer'),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'free', 'turn', 'turn', 'turn') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 1_100, 5_000) }) },
)

/** Lets everything that is under way in this process come to rest. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function play(steps: Step[]): Promise<void> {
  const failures: string[] = []
  await using cluster = await clusterByHand({
    'topics.inbox_partitions': '1',
    'client.ping_interval': '1h',
    'client.pong_timeout': '30m',
    // A stalled connection has more waiting than this at once: it is let behind.
    'client.queue_max_size': '1024',
    'proxy.isolation_timeout': '24h',
    'proxy.position_check_interval': '2s',
  })
  const clock = new ManualClock()
  const gate = new Gate()
  const handles = cluster.handles({ beforeAppend: (topic) => (topic === commands ? gate.pass() : undefined) })
  handles.env.clock = clock
  const proxy = await cluster.proxy({ handles })
  const slot = new ModelSlot(cluster.logData, proxy.id)
  const subscribers = Array.from({ length: 4 }, () => new Subscriber(proxy, failures))
  let n = 0
  const perform = async (each: Step): Promise<void> => {
    switch (each.do) {
      case 'join':
        return subscribers[each.who]!.join(each.channel, each.recover)
      case 'leave':
        return subscribers[each.who]!.leave(each.channel)
      case 'drop':
        subscribers[each.who]!.drop()
        subscribers[each.who] = new Subscriber(proxy, failures)
        return
      case 'stall':
      case 'flow':
        subscribers[each.who]!.isStalled = each.do === 'stall'
        return
      case 'publish':
        cluster.logData.append(commands, 0, [
          { key: null, value: commandOf({ channel: each.channel, n: ++n, instance: '' }) },
        ])
        return
      case 'handle':
      case 'deliver':
      case 'answer':
        return slot[each.do](each.count)
      case 'hold':
        gate.shut()
        return
      case 'free':
        return gate.open()
      case 'turn':
        return turn()
      case 'flow through':
        await turn()
        slot.handle(Infinity)
        slot.deliver(Infinity)
        return turn()
      case 'wait':
        return clock.advance(each.ms)
    }
  }
  for (const each of steps) await perform(each)
  gate.open()
  for (const subscriber of subscribers) subscriber.isStalled = false
  const isLevel = (): boolean =>
    subscribers.every(({ has }) => has.entries().every(([name, at]) => at === (slot.tops.get(name) ?? 0)))
  for (let i = 0; i < 2 || !slot.isQuiet || (i < roundsMax && !isLevel()); i++) {
    clock.advance(backlogLookMs)
    await turn()
    slot.handle(Infinity)
    slot.deliver(Infinity)
    slot.answer(Infinity)
    await turn()
  }
  for (const name of channels) {
    const isOpen = subscribers.some((subscriber) => subscriber.channels.has(name))
    if ((slot.interest.get(name) ?? false) !== isOpen) failures.push(`interest in ${name} is not ${isOpen}`)
    for (const subscriber of subscribers) {
      if (subscriber.channels.has(name) !== subscriber.has.has(name))
        failures.push(`a session waits for ${name} for ever`)
      const top = slot.tops.get(name) ?? 0
      if (subscriber.has.has(name) && subscriber.has.get(name) !== top)
        failures.push(`a session did not get all of ${name}`)
    }
  }
  if (subscribers.some(({ unanswered }) => unanswered > 0)) failures.push('a command was never answered')
  if (failures.length > 0) throw new Error(failures.join('; '))
}

/** Rounds in which everybody must have got everything: a page a round. */
const roundsMax = 100

async function anyCourse(t: Test, coursesCount: number, course: fc.Arbitrary<Step[]>): Promise<void> {
  let played = 0
  const property = fc.asyncProperty(course, async (steps) => {
    await play(steps)
    played += 1
  })
  await fc.assert(property, { numRuns: coursesCount })
  t.equal(played, coursesCount, 'every course was played to its end')
}

t.test('any course', (t) => anyCourse(t, 400, fc.array(step, { minLength: 5, maxLength: 60 })))

t.test('any course of connections that stall, of sessions that have something to miss', (t) => {
  const everybody = [0, 1, 2, 3].flatMap((who) =>
    channels.map((channel): Step => ({ do: 'join', who, channel, recover: 'fresh' })),
  )
  const stalling: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'flow' as const), who }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('publish' as const), channel }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('flow through' as const) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), count: fc.constantFrom(1, 5) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 500) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who, channel }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('join' as const), who, channel, recover }) },
  )
  const course = fc.array(stalling, { minLength: 10, maxLength: 60 })
  return anyCourse(
    t,
    200,
    course.map((steps) => [...everybody, { do: 'flow through' }, ...steps]),
  )
})
