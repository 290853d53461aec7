import type { Test } from 'tap'
import type { Acquire, ChannelState, Commit, Message, SlotState, Store, StoreErrorCode } from '../../store/store.ts'

/** Opens one more handle on the same store, as another process would. Closes with the test. */
export type OpenStore = () => Store

export const slot = 'default/0'
export const token = 'token'

/** A commit that changes nothing but what is given. */
export function commitOf(changes: Partial<Commit>): Commit {
  return {
    slot,
    token,
    expected: 0,
    next: 1,
    fingerprint: 'fingerprint',
    channels: [],
    messages: [],
    interestAdded: [],
    interestRemoved: [],
    producers: [],
    gone: [],
    outbox: [],
    outboxDone: [],
    outboxNarrowed: [],
    deadLetters: [],
    ...changes,
  }
}

export function messageOf(channel: string, offset: number, more: Partial<Message> = {}): Message {
  return {
    channel,
    offset,
    id: `${channel} ${offset}`,
    kind: 'message',
    user: 'ann',
    data: Buffer.from(`"${offset}"`),
    info: null,
    tags: null,
    time: 1_000 + offset,
    idem: null,
    ...more,
  }
}

export const channelOf = (name: string, top = 0, lastTime = 1_000): Commit['channels'][number] => ({
  name,
  epoch: 'e',
  top,
  lastTime,
})

/** Takes a slot as it is now. */
export async function own(store: Store, more: Partial<Acquire> = {}): Promise<SlotState> {
  const { token: seenToken, epoch } = await store.lease(more.slot ?? slot)
  const state = await store.acquire({
    slot,
    seen: { token: seenToken, epoch },
    token,
    owner: 'worker',
    announced: null,
    version: 'v1',
    ...more,
  })
  if (state === null) throw new Error('the slot was not acquired')
  return state
}

const refused = (code: StoreErrorCode): { name: string; code: StoreErrorCode } => ({ name: 'StoreError', code })
const idemOf = (byte: number): Buffer => Buffer.alloc(16, byte)
const sorted = (states: ChannelState[]): ChannelState[] =>
  states.map((state) => ({ ...state, interest: [...state.interest].sort() })).sort((a, b) => (a.name < b.name ? -1 : 1))

/** What every store must do, whatever it is made of. `make` gives a new and empty one. */
export function storeContract(t: Test, name: string, make: (t: Test) => Promise<OpenStore>): void {
  const check = (what: string, run: (t: Test, store: Store, open: OpenStore) => Promise<void>): void => {
    void t.test(`${name}: ${what}`, async (t) => {
      const open = await make(t)
      const store = open()
      await store.migrate()
      await store.createGroup('default', 2)
      await run(t, store, open)
    })
  }

  check('a group pins its number of slots', async (t, store, open) => {
    t.equal(await store.createGroup('default', 64), 2)
    t.equal(await open().createGroup('staff', 1), 1)
    await store.migrate()
    t.same(await store.groups(), [
      { group: 'default', slots: 2 },
      { group: 'staff', slots: 1 },
    ])
    t.same((await store.leases()).map((lease) => lease.slot).sort(), ['default/0', 'default/1', 'staff/0'])
    t.same(await store.lease(slot), {
      slot,
      token: null,
      owner: null,
      version: null,
      epoch: 0,
      nextOffset: 0,
      incarnation: 0,
      fingerprint: null,
      trying: null,
      attempts: 0,
    })
    await t.rejects(store.lease('default/2'), refused('unknown_slot'))
    await t.rejects(store.commit(commitOf({ slot: 'nowhere/0' })), refused('unknown_slot'))
  })

  check('acquiring compares and sets', async (t, store, open) => {
    const seen = { token: null, epoch: 0 }
    const others = [store, open(), open()]
    const states = await Promise.all(
      others.map((other, index) =>
        other.acquire({ slot, seen, token: `t${index}`, owner: `w${index}`, version: 'v1', announced: null }),
      ),
    )
    const winners = states.filter((state) => state !== null)
    t.equal(winners.length, 1)
    const { token, owner } = winners[0]!.lease
    t.equal(token?.slice(1), owner?.slice(1))
    t.match(await store.lease(slot), { token, owner, version: 'v1', epoch: 1 })
    t.equal(await store.acquire({ slot, seen: { token, epoch: 0 }, token: 'x', owner: 'x', version: 'v1', announced: null }), null)
    t.equal(await store.acquire({ slot, seen: { token: 'x', epoch: 1 }, token: 'x', owner: 'x', version: 'v1', announced: null }), null)
    const next = await store.acquire({ slot, seen: { token, epoch: 1 }, token: 'y', owner: 'y', version: 'v2', announced: null })
    t.match(next, { unclean: true, lease: { token: 'y', owner: 'y', version: 'v2', epoch: 2 } })
    t.match(await store.lease('default/1'), { token: null, epoch: 0 }, 'the other slot is as it was')
  })

  check('a release keeps the token and makes the next acquisition a clean one', async (t, store) => {
    await own(store)
    t.equal(await store.release(slot, 'other'), false)
    t.equal(await store.release(slot, token), true)
    t.match(await store.lease(slot), { token, owner: null, version: 'v1', epoch: 1 })
    const state = await own(store, { token: 'next' })
    t.match(state, { unclean: false, lease: { attempts: 0, epoch: 2 } })
    t.equal(await store.release(slot, token), false, 'an old token releases nothing')
    await t.rejects(store.release('default/9', token), refused('unknown_slot'))
  })

  check('unclean take-overs are counted, careful ones only when a record was being tried', async (t, store) => {
    t.match(await own(store), { unclean: false, tried: null, lease: { attempts: 0 } })
    t.match(await own(store), { unclean: true, tried: null, lease: { attempts: 1 } })
    t.match(await own(store), { unclean: true, tried: null, lease: { attempts: 2 } })
    t.match(await own(store), { unclean: true, tried: null, lease: { attempts: 2 } }, 'nothing was being tried')
    t.equal(await store.markTrying(slot, 'other', 0), false)
    t.equal(await store.markTrying(slot, token, 0), true)
    t.match(await store.lease(slot), { trying: 0 })
    t.match(await own(store), { tried: 0, lease: { attempts: 3, trying: null } })
    await store.markTrying(slot, token, 7)
    t.match(await own(store), { tried: 7, lease: { attempts: 3 } }, 'another record than the next one')
    await store.markTrying(slot, token, 0)
    await store.commit(commitOf({ next: 0 }))
    t.match(await store.lease(slot), { trying: 0, attempts: 3 }, 'no progress, no pardon')
    await store.commit(commitOf({ next: 1 }))
    t.match(await store.lease(slot), { trying: null, attempts: 0, nextOffset: 1 })
    await own(store)
    await store.release(slot, token)
    t.match(await own(store), { unclean: false, lease: { attempts: 1 } }, 'a clean take-over is not blamed')
  })

  check('a fenced commit changes nothing', async (t, store) => {
    await own(store)
    const full: Partial<Commit> = {
      channels: [channelOf('room', 1)],
      messages: [messageOf('room', 1)],
      interestAdded: [['room', 'proxy']],
      producers: [['proxy.1', 1]],
      gone: ['other'],
      outbox: [{ batchEnd: 1, part: 0, inboxes: ['proxy'], body: Buffer.from('x') }],
      deadLetters: [{ offset: 0, reason: 'bad', record: Buffer.from('x') }],
    }
    for (const wrong of [{ token: 'other' }, { expected: 5, next: 6 }]) {
      t.equal(await store.commit(commitOf({ ...full, ...wrong })), 'fenced')
    }
    t.match(await store.lease(slot), { nextOffset: 0, fingerprint: null })
    t.same(await store.channels(slot, ['room']), [])
    t.same(await store.deadLetters(slot), [])
    const state = await own(store)
    t.match(state, { producers: [], tombstones: [], outbox: [] })

    t.equal(await store.commit(commitOf(full)), 'committed')
    t.equal(await store.commit(commitOf(full)), 'fenced', 'its place is taken')
    t.match(await store.lease(slot), { nextOffset: 1, fingerprint: 'fingerprint' })
    t.same(await store.channels(slot, ['room']), [{ ...channelOf('room', 1), interest: ['proxy'] }])
    t.same(await store.deadLetters(slot), full.deadLetters)
    t.equal(await store.commit(commitOf({ expected: 1, next: 1, fingerprint: null })), 'committed')
    t.match(await store.lease(slot), { nextOffset: 1, fingerprint: 'fingerprint' }, 'it goes with the place')
  })

  check('the outbox is handed over in order; rows are narrowed and done', async (t, store) => {
    await own(store)
    const row = (batchEnd: number, part: number, inboxes = ['a', 'b']): Commit['outbox'][number] => ({
      batchEnd,
      part,
      inboxes,
      body: Buffer.from(`${batchEnd}/${part}`),
    })
    await store.commit(commitOf({ outbox: [row(1, 0), row(1, 1)] }))
    await store.commit(commitOf({ expected: 1, next: 12, outbox: [row(12, 0), row(12, 1)] }))
    await store.commit(
      commitOf({
        expected: 12,
        next: 12,
        // The place of a row that goes in the same commit is free.
        outbox: [row(12, 0, ['c'])],
        outboxDone: [
          { batchEnd: 1, part: 0 },
          { batchEnd: 12, part: 0 },
        ],
        outboxNarrowed: [{ batchEnd: 1, part: 1, inboxes: ['b'] }],
      }),
    )
    const { outbox } = await own(store)
    t.same(outbox, [row(1, 1, ['b']), row(12, 0, ['c']), row(12, 1)])
    t.ok(outbox.every(({ body }) => Buffer.isBuffer(body)))
    t.same((await own(store, { slot: 'default/1' })).outbox, [])
  })

  check('producers keep their last number, for each slot', async (t, store) => {
    await own(store)
    await own(store, { slot: 'default/1' })
    await store.commit(
      commitOf({
        producers: [
          ['p.1', 3],
          ['q.1', 1],
        ],
      }),
    )
    await store.commit(commitOf({ expected: 1, next: 2, producers: [['p.1', 9]] }))
    await store.commit(commitOf({ slot: 'default/1', producers: [['p.1', 4]] }))
    t.same(
      new Map((await own(store)).producers),
      new Map([
        ['p.1', 9],
        ['q.1', 1],
      ]),
    )
    t.same((await own(store, { slot: 'default/1' })).producers, [['p.1', 4]])
  })

  check('a duplicate offset or key is refused as a whole; keys lead to their message', async (t, store) => {
    await own(store)
    const first = messageOf('room', 1, { idem: idemOf(1), info: '{"user":"ann"}', tags: '{"a":"b"}' })
    await store.commit(
      commitOf({
        channels: [channelOf('room', 1), channelOf('other', 1)],
        messages: [first, messageOf('other', 1, { idem: idemOf(1) })],
      }),
    )
    const again = (messages: Message[]): Commit =>
      commitOf({
        expected: 1,
        next: 2,
        channels: [channelOf('room', 2), channelOf('new')],
        messages,
        producers: [['p.1', 1]],
      })
    await t.rejects(store.commit(again([messageOf('room', 2), messageOf('room', 1)])), refused('duplicate'))
    await t.rejects(store.commit(again([messageOf('room', 2, { idem: idemOf(1) })])), refused('duplicate'))
    t.match(await store.lease(slot), { nextOffset: 1 })
    t.match(await store.channels(slot, ['room', 'new']), [{ name: 'room', top: 1 }])
    t.equal(await store.commit(again([messageOf('room', 2), messageOf('room', 3)])), 'committed', 'no key, no clash')
    t.same(
      await store.idempotent(slot, [
        { channel: 'room', idem: idemOf(1) },
        { channel: 'room', idem: idemOf(2) },
        { channel: 'nowhere', idem: idemOf(1) },
      ]),
      [{ channel: 'room', idem: idemOf(1), message: first }],
    )
  })

  check('names, ids and keys are compared as bytes', async (t, store) => {
    await own(store)
    const names = [
      'room',
      'Room',
      'rööm',
      'room ',
      'ro\u0308o\u0308m',
      ' room',
      'room\t',
      'ß',
      'ss',
      'straße',
      'STRASSE',
      '👩',
      '👨',
    ]
    await store.commit(
      commitOf({
        channels: names.map((name, index) => channelOf(name, 1, index)),
        messages: names.map((name) => messageOf(name, 1, { user: name })),
        interestAdded: names.flatMap((name): [string, string][] => names.map((instance) => [name, instance])),
        producers: names.map((name, index) => [`${name}.1`, index]),
      }),
    )
    const states = await store.channels(slot, names)
    t.same(
      states.map(({ name, lastTime }) => [name, lastTime]),
      names.map((name, index) => [name, index]),
    )
    t.ok(states.every(({ interest }) => interest.length === names.length))
    for (const name of names) {
      t.match(
        await store.messages(slot, {
          channel: name,
          after: 0,
          before: null,
          since: 0,
          limit: 9,
          reverse: false,
          bytesMax: 99,
        }),
        [{ channel: name, user: name }],
      )
    }
    t.equal((await own(store)).producers.length, names.length)
    await store.registerInstances(['Proxy', 'proxy'])
    t.equal(await store.moveInstance('proxy', 'live', 'gone'), true)
    t.ok((await store.instances()).some(({ id }) => id === 'Proxy'))
  })

  check('interest comes and goes; active channels are the latest that somebody has open', async (t, store) => {
    await own(store)
    const channels = ['a', 'b', 'c'].map((name, index) => channelOf(name, 0, index))
    await store.commit(
      commitOf({
        channels,
        interestAdded: [
          ['a', 'p'],
          ['a', 'q'],
          ['b', 'p'],
          ['a', 'p'],
        ],
      }),
    )
    t.same(sorted(await store.channels(slot, ['a', 'b', 'c', 'd'])), [
      { ...channels[0], interest: ['p', 'q'] },
      { ...channels[1], interest: ['p'] },
      { ...channels[2], interest: [] },
    ])
    t.same(
      (await store.activeChannels(slot, 9)).map(({ name }) => name),
      ['b', 'a'],
    )
    t.same(
      (await store.activeChannels(slot, 1)).map(({ name }) => name),
      ['b'],
    )
    t.same(await store.activeChannels('default/1', 9), [])
    t.same(await store.channels('default/1', ['a']), [])
    await store.commit(
      commitOf({
        expected: 1,
        next: 2,
        interestRemoved: [
          ['b', 'p'],
          ['a', 'q'],
          ['c', 'p'],
          ['nowhere', 'p'],
        ],
      }),
    )
    t.same(
      sorted(await store.channels(slot, ['a', 'b'])).map(({ interest }) => interest),
      [['p'], []],
    )
    t.same(
      (await store.activeChannels(slot, 9)).map(({ name }) => name),
      ['a'],
    )
    await t.rejects(
      store.commit(commitOf({ expected: 2, next: 3, interestAdded: [['nowhere', 'p']] })),
      refused('damaged'),
    )
    t.match(await store.lease(slot), { nextOffset: 2 })
  })

  check('a retired instance leaves a tombstone, and its interest goes in chunks', async (t, store) => {
    await own(store)
    const names = Array.from({ length: 5 }, (_, index) => `room ${index}`)
    await store.commit(
      commitOf({
        channels: names.map((name) => channelOf(name)),
        interestAdded: names.flatMap((name): [string, string][] => [
          [name, 'p'],
          [name, 'pp'],
        ]),
        producers: [
          ['p.1', 1],
          ['p.2', 1],
          ['pp.1', 1],
          ['p', 1],
        ],
      }),
    )
    await store.commit(commitOf({ expected: 1, next: 2, gone: ['p'] }))
    const state = await own(store)
    t.same(state.tombstones, [{ instance: 'p', pruned: false }])
    t.same(state.producers.map(([producer]) => producer).sort(), ['p', 'pp.1'])
    t.equal(await store.pruneInterest(slot, 'other', 'p', 2), 'fenced')
    t.equal(await store.pruneInterest(slot, token, 'p', 2), 'more')
    t.equal(await store.pruneInterest(slot, token, 'p', 2), 'more')
    t.same((await own(store)).tombstones, [{ instance: 'p', pruned: false }])
    t.equal(await store.pruneInterest(slot, token, 'p', 2), 'done')
    t.same((await own(store)).tombstones, [{ instance: 'p', pruned: true }])
    t.ok((await store.channels(slot, names)).every(({ interest }) => interest.join() === 'pp'))
    await store.commit(commitOf({ expected: 2, next: 3, gone: ['p'] }))
    t.same((await own(store)).tombstones, [{ instance: 'p', pruned: true }], 'to be told twice changes nothing')
  })

  check('messages are paged both ways, bounded by number, time and bytes', async (t, store) => {
    await own(store)
    const messages = Array.from({ length: 10 }, (_, index) =>
      messageOf('room', index + 1, { data: Buffer.alloc(10, 48) }),
    )
    await store.commit(commitOf({ channels: [channelOf('room', 10)], messages }))
    const offsets = async (query: object): Promise<number[]> => {
      const all = { channel: 'room', after: 0, before: null, since: 0, limit: 100, reverse: false, bytesMax: 1_000 }
      return (await store.messages(slot, { ...all, ...query })).map(({ offset }) => offset)
    }
    t.same(
      await store.messages(slot, {
        channel: 'room',
        after: 0,
        before: 2,
        since: 0,
        limit: 1,
        reverse: false,
        bytesMax: 1,
      }),
      [messages[0]],
    )
    t.same(await offsets({ limit: 3 }), [1, 2, 3])
    t.same(await offsets({ after: 3, limit: 3 }), [4, 5, 6])
    t.same(await offsets({ after: 3, before: 6 }), [4, 5])
    t.same(await offsets({ reverse: true, limit: 3 }), [10, 9, 8])
    t.same(await offsets({ reverse: true, before: 8, limit: 3 }), [7, 6, 5])
    t.same(await offsets({ since: 1_009 }), [9, 10])
    t.same(await offsets({ since: 1_009, reverse: true }), [10, 9])
    t.same(await offsets({ bytesMax: 25 }), [1, 2])
    t.same(await offsets({ bytesMax: 5, reverse: true }), [10], 'one at least')
    t.same(await offsets({ channel: 'nowhere' }), [])
    t.same(await offsets({ limit: 2 }), [1, 2], 'a page that was cut short leaves nothing behind')
  })

  check('the serving version compares and sets', async (t, store) => {
    t.equal(await store.servingVersion(), null)
    t.equal(await store.setServingVersion('v0', 'v1'), false)
    t.equal(await store.setServingVersion(null, 'v1'), true)
    t.equal(await store.setServingVersion(null, 'v2'), false)
    t.equal(await store.setServingVersion('v1', 'v2'), true)
    t.equal(await store.servingVersion(), 'v2')
  })

  check('instances go from one state to the next, known or only named by rows', async (t, store) => {
    await store.registerInstances(['a', 'b'])
    t.equal(await store.moveInstance('a', 'retired', 'gone'), false)
    t.equal(await store.moveInstance('a', 'live', 'retired'), true)
    t.equal(await store.moveInstance('a', 'live', 'retired'), false)
    await store.registerInstances(['a', 'c'])
    await own(store)
    await store.commit(
      commitOf({
        channels: [channelOf('room')],
        interestAdded: [
          ['room', 'a'],
          ['room', 'd'],
        ],
        producers: [
          ['e.1', 1],
          ['controller', 1],
        ],
      }),
    )
    const listed = async (): Promise<string[]> =>
      (await store.instances()).map(({ id, state }) => `${id} ${state}`).sort()
    t.same(await listed(), ['a retired', 'b live', 'c live', 'd live', 'e live'])
    t.equal(await store.moveInstance('a', 'retired', 'gone'), true)
    t.equal(await store.moveInstance('d', 'live', 'retired'), true)
    t.same(await listed(), ['b live', 'c live', 'd retired', 'e live'])
  })

  check('one candidate leads at a time, and the term rises with each change', async (t, store, open) => {
    const long = 60_000
    const results = await Promise.all(['a', 'b', 'c'].map((candidate) => open().lead(candidate, long)))
    const leader = results[0]!.leader
    t.same(
      results,
      [1, 1, 1].map((term) => ({ term, leader })),
    )
    t.same(await store.lead(leader, 0), { term: 1, leader }, 'renewed, to end at once')
    t.same(await store.lead('next', long), { term: 2, leader: 'next' })
    t.same(await store.lead(leader, long), { term: 2, leader: 'next' })
    t.same(await store.lead('next', long), { term: 2, leader: 'next' })
  })

  check('a reset gives a slot a new incarnation and place, and keeps what is to be sent', async (t, store) => {
    await own(store)
    const row = (batchEnd: number, part: number): Commit['outbox'][number] => ({
      batchEnd,
      part,
      inboxes: ['p'],
      body: Buffer.from(`${batchEnd}/${part}`),
    })
    await store.commit(commitOf({ next: 5, outbox: [row(5, 0), row(5, 1)] }))
    await store.commit(commitOf({ expected: 5, next: 6, outbox: [row(6, 0)] }))
    await own(store)
    t.match(await store.resetSlot(slot, 0), {
      nextOffset: 0,
      incarnation: 1,
      token: null,
      owner: null,
      fingerprint: null,
      trying: null,
      attempts: 0,
    })
    t.equal(await store.commit(commitOf({ expected: 0, next: 5 })), 'fenced', 'the owner before is out')
    await own(store)
    t.equal(
      await store.commit(commitOf({ next: 5, outbox: [row(5, 0)] })),
      'committed',
      'a batch may end where one did',
    )
    await store.resetSlot(slot, 2)
    const { outbox, lease } = await own(store)
    t.match(lease, { incarnation: 2, nextOffset: 2 })
    t.same(
      outbox.map(({ body }) => body.toString()),
      ['5/0', '5/1', '6/0', '5/0'],
    )
    t.ok(outbox.every(({ batchEnd }) => batchEnd < 0))
    await store.commit(commitOf({ expected: 2, next: 2, outboxDone: outbox.slice(0, 3) }))
    t.same((await own(store)).outbox, outbox.slice(3))
    await t.rejects(store.resetSlot('default/9', 0), refused('unknown_slot'))
  })

  check('a closed handle answers no more', async (t, store, open) => {
    const other = open()
    await other.close()
    await t.rejects(other.leases(), refused('unavailable'))
    t.equal((await store.leases()).length, 2)
  })
}
