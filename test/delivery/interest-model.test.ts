// Proves, for any course of joins, leaves, disconnects, timeouts, publications and late events: a slot's interest ends
// up being what the proxy has open; a session that was told a position gets every later publication once and in order
// for as long as it stays; one that left gets nothing; every command is answered exactly once.
import * as fc from 'fast-check'
import t from 'tap'
import { clusterByHand, commandOf, commands } from './by-hand.ts'
import { Gate } from './gate.ts'
import { ManualClock } from './manual-clock.ts'
import { ModelSlot } from './model-slot.ts'
import { Subscriber } from './subscriber.ts'

const channels = ['red', 'blue']

type Step =
  | { do: 'join'; who: number; channel: string; recover: 'fresh' | 'last' | 'lost' }
  | { do: 'leave'; who: number; channel: string }
  | { do: 'drop'; who: number }
  | { do: 'publish'; channel: string }
  | { do: 'handle' | 'deliver' | 'answer'; count: number }
  | { do: 'hold' | 'free' | 'turn' }
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
      case 'wait':
        return clock.advance(each.ms)
    }
  }
  for (const each of steps) await perform(each)
  gate.open()
  for (let i = 0; i < 2 || !slot.isQuiet; i++) {
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

const coursesCount = 400

t.test('any course', async (t) => {
  const course = fc.array(step, { minLength: 5, maxLength: 60 })
  let played = 0
  const property = fc.asyncProperty(course, async (steps) => {
    await play(steps)
    played += 1
  })
  await fc.assert(property, { numRuns: coursesCount })
  t.equal(played, coursesCount, 'every course was played to its end')
})
