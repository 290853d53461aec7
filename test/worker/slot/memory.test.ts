/**
 * Proves what an owner knows of its slot: channels up to a bound, of which the least recently used gives way; and after a
 * commit what the batch has changed, nothing of an instance that is gone among it.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { ChannelCache, channelFrom, memoryOf, remember } from '../../../worker/slot/memory.ts'
import type { Channel } from '../../../worker/slot/memory.ts'
import { holds } from '../../support/holds.ts'
import { lease as slotLease } from './slot-log.ts'

function channelOf(name: string, ...interest: string[]): Channel {
  return { name, epoch: 'e', top: 0, lastTime: 0, interest: new Set(interest) }
}

const lease = { ...slotLease, fingerprint: 'f' }

/** What an owner knows that took the slot at 5. */
function taken(tombstones: string[] = []) {
  return memoryOf({
    lease,
    producers: [
      ['p.1', 3],
      ['dead.1', 8],
      ['dead.2', 1],
      ['deadly.1', 2],
    ],
    tombstones: tombstones.map((instance) => ({ instance, pruned: true })),
    outbox: [],
    unclean: false,
    tried: null,
    wentBack: false,
  })
}

void t.test('the channel that was not used for the longest time gives way', async (t) => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const uses = fc.array(fc.record({ name: names, isWrite: fc.boolean() }), { maxLength: 40, size: 'max' })
  holds(
    t,
    fc.property(uses, fc.integer({ min: 1, max: 4 }), (uses, max) => {
      const cache = new ChannelCache(max)
      /** Oldest use first. */
      let used: string[] = []
      for (const { name, isWrite } of uses) {
        assert.equal(cache.get(name)?.name, used.includes(name) ? name : undefined)
        if (isWrite) cache.set(channelOf(name))
        if (isWrite || used.includes(name)) used = [...used.filter((each) => each !== name), name].slice(-max)
        assert.equal(cache.size, used.length)
      }
    }),
  )
})

void t.test('whoever is retired has no interest from the start', async (t) => {
  const state = { name: 'room', epoch: 'e', top: 1, lastTime: 2, interest: ['dead', 'p'] }
  t.strictSame([...channelFrom(state, new Set(['dead'])).interest], ['p'])
  t.strictSame([...taken(['dead']).tombstones], ['dead'])
})

void t.test('a committed batch moves the owner on', async (t) => {
  const cache = new ChannelCache(10)
  cache.set(channelOf('old'))
  const memory = remember(taken(), cache, {
    commit: { next: 9, fingerprint: 'g', producers: [['p.1', 7]] },
    channels: new Map([['room', channelOf('room', 'p')]]),
    absent: ['old'],
    gone: [],
  })
  t.match(memory, { nextOffset: 9, fingerprint: 'g' })
  t.equal(memory.producers.get('p.1'), 7)
  t.strictSame([cache.get('room')?.name, cache.get('old')], ['room', undefined])
})

void t.test('of an instance that is gone nothing is left but that it is', async (t) => {
  const cache = new ChannelCache(10)
  const other = channelOf('other', 'dead', 'p')
  cache.set(other)
  const before = other.interest
  const memory = remember(taken(), cache, {
    commit: { next: 6, fingerprint: 'g', producers: [['dead.1', 9]] },
    channels: new Map([['room', channelOf('room', 'dead')]]),
    absent: [],
    gone: ['dead'],
  })
  t.ok(memory.tombstones.has('dead'))
  t.strictSame([...memory.producers.keys()], ['p.1', 'deadly.1'], 'one whose name begins like it stays')
  t.strictSame([[...cache.get('room')!.interest], [...cache.get('other')!.interest]], [[], ['p']])
  t.ok(before.has('dead'), 'what a plan looks at does not change under it')
})
