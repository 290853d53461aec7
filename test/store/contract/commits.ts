import type { Commit, Message } from '../../../store/store.ts'
import { channelOf, commitOf, messageOf, own, refused, slot, type Check } from './rows.ts'

const idemOf = (byte: number): Buffer => Buffer.alloc(16, byte)

/** What an owner writes: all of it, or nothing. */
export function commitsContract(check: Check): void {
  check('a fenced commit changes nothing', async (t, store, _open, { deadLetters }) => {
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
    t.same(await deadLetters(slot), [])
    const state = await own(store)
    t.match(state, { producers: [], tombstones: [], outbox: [] })

    t.equal(await store.commit(commitOf(full)), 'committed')
    t.equal(await store.commit(commitOf(full)), 'fenced', 'its place is taken')
    t.match(await store.lease(slot), { nextOffset: 1, fingerprint: 'fingerprint' })
    t.same(await store.channels(slot, ['room']), [{ ...channelOf('room', 1), interest: ['proxy'] }])
    t.same(await deadLetters(slot), full.deadLetters)
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
}
