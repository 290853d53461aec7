import { publicationJson } from '../../../protocol/client/publication.ts'
import { messageBytes } from '../../../store/message-size.ts'
import type { ChannelState, Commit, Message } from '../../../store/store.ts'
import { channelOf, commitOf, messageOf, own, refused, slot, token, type Check } from './rows.ts'

const sorted = (states: ChannelState[]): ChannelState[] =>
  states.map((state) => ({ ...state, interest: [...state.interest].sort() })).sort((a, b) => (a.name < b.name ? -1 : 1))

/** What is read about channels: state, interest, keys, pages. */
export function channelsContract(check: Check): void {
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
    t.same((await store.activeChannels(slot, 9)).place, { incarnation: 0, nextOffset: 1 })
    t.same(
      (await store.activeChannels(slot, 9)).channels.map(({ name }) => name),
      ['b', 'a'],
    )
    t.same(
      (await store.activeChannels(slot, 1)).channels.map(({ name }) => name),
      ['b'],
    )
    t.same(await store.activeChannels('default/1', 9), { place: { incarnation: 0, nextOffset: 0 }, channels: [] })
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
      (await store.activeChannels(slot, 9)).channels.map(({ name }) => name),
      ['a'],
    )
    await t.rejects(
      store.commit(commitOf({ expected: 2, next: 3, interestAdded: [['nowhere', 'p']] })),
      refused('damaged'),
    )
    t.match(await store.lease(slot), { nextOffset: 2 })
  })

  check('a channel that is removed leaves nothing, and comes back as another', async (t, store) => {
    await own(store)
    await own(store, { slot: 'default/1' })
    const elsewhere: Partial<Commit> = {
      slot: 'default/1',
      channels: [channelOf('room 1')],
      interestAdded: [['room 1', 'p']],
    }
    await store.commit(commitOf(elsewhere))
    const names = ['room 0', 'room 1', 'room 2']
    const interestAdded = names.map((name): [string, string] => [name, 'p'])
    await store.commit(
      commitOf({
        channels: names.map((name) => channelOf(name)),
        interestAdded: [...interestAdded, ['room 1', 'dead']],
      }),
    )
    const channelsRemoved = ['room 1', 'room 2', 'nowhere']
    await store.commit(commitOf({ expected: 1, next: 2, interestRemoved: interestAdded.slice(1), channelsRemoved }))
    t.same(
      (await store.channels(slot, names)).map(({ name }) => name),
      ['room 0'],
    )
    t.equal((await store.channels('default/1', ['room 1'])).length, 1, 'of its slot alone')
    const again = { ...channelOf('room 1'), epoch: 'another' }
    await store.commit(commitOf({ expected: 2, next: 3, channels: [again], interestAdded: [['room 1', 'p']] }))
    t.same(await store.channels(slot, ['room 1']), [{ ...again, interest: ['p'] }])
  })

  check('channels without a message go with the last instance that had them', async (t, store) => {
    await own(store)
    const [empty, shared, used] = [channelOf('empty'), channelOf('shared'), channelOf('used', 1)]
    await store.commit(
      commitOf({
        channels: [empty, shared, used],
        messages: [messageOf('used', 1)],
        interestAdded: [
          ['empty', 'p'],
          ['shared', 'p'],
          ['shared', 'q'],
          ['used', 'p'],
        ],
        gone: ['p'],
      }),
    )
    while ((await store.pruneInterest(slot, token, 'p', 1)) === 'more');
    t.same(
      (await store.channels(slot, ['empty', 'shared', 'used'])).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      [
        { ...shared, interest: ['q'] },
        { ...used, interest: [] },
      ],
    )
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
      const all = { channel: 'room', after: 0, before: null, since: 0, limit: 100, reverse: false, bytesMax: 10_000 }
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
    const each = messageBytes(messages[0]!)
    t.same(await offsets({ bytesMax: 2 * each }), [1, 2])
    t.same(await offsets({ bytesMax: 3 * each - 1 }), [1, 2])
    t.same(await offsets({ bytesMax: 5, reverse: true }), [10], 'one at least')
    t.same(await offsets({ channel: 'nowhere' }), [])
    const most = Number.MAX_SAFE_INTEGER
    t.same(await offsets({ after: most }), [], 'beyond every stream')
    t.same(await offsets({ after: most - 1, before: most }), [])
    t.same(await offsets({ before: most, since: -most, limit: 2 }), [1, 2])
    t.same(await offsets({ since: most }), [])
    t.same(await offsets({ before: most, reverse: true, limit: most, bytesMax: most }), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    t.same(await offsets({ limit: 2 }), [1, 2], 'a page that was cut short leaves nothing behind')
  })

  check('all that clients get of a message counts, whatever it is made of', async (t, store) => {
    await own(store)
    const large = 'é'.repeat(6_000)
    const shapes: Partial<Message>[] = [
      { data: Buffer.from(JSON.stringify(large)) },
      { info: JSON.stringify(large) },
      { tags: JSON.stringify({ large }) },
      { user: '"'.repeat(2_000), info: JSON.stringify(large) },
    ]
    for (const [index, shape] of shapes.entries()) {
      const channel = `room ${index}`
      const messages = Array.from({ length: 100 }, (_, at) => messageOf(channel, at + 1, shape))
      t.equal(
        await store.commit(
          commitOf({ expected: index, next: index + 1, channels: [channelOf(channel, 100)], messages }),
        ),
        'committed',
      )
      const query = { channel, after: 0, before: null, since: 0, limit: 100, reverse: false, bytesMax: 200_000 }
      const found = await store.messages(slot, query)
      const text = found.map(publicationJson).join()
      t.ok(found.length > 10 && Buffer.byteLength(text) <= query.bytesMax, `${channel}: ${found.length} of 100`)
    }
  })
}
