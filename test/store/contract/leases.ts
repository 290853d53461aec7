import type { Commit } from '../../../store/store.ts'
import { commitOf, own, refused, slot, token, type Check } from './rows.ts'

/** Groups, and who owns a slot. */
export function leasesContract(check: Check): void {
  check('a group pins its number of slots', async (t, store, open) => {
    t.equal(await store.createGroup('default', 64, 'origin'), 2)
    t.equal(await open().createGroup('staff', 1, 'origin'), 1)
    await store.migrate()
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
      killed: null,
      origin: 'origin',
    })
    await t.rejects(store.lease('default/2'), refused('unknown_slot'))
    await t.rejects(store.activeChannels('default/2', 9), refused('unknown_slot'))
    await t.rejects(store.commit(commitOf({ slot: 'nowhere/0' })), refused('unknown_slot'))
  })

  check('a namespace keeps the group that it was given first', async (t, store, open) => {
    t.same(await store.namespaces(), [])
    await store.pinNamespaces([])
    const groups = [
      { namespace: 'Staff', group: 'default' },
      { namespace: 'staff', group: 'inner' },
    ]
    await Promise.all([store, open()].map((each) => each.pinNamespaces(groups)))
    await store.pinNamespaces([
      { namespace: 'staff', group: 'default' },
      { namespace: 'open', group: 'default' },
    ])
    t.same(await open().namespaces(), [groups[0], { namespace: 'open', group: 'default' }, groups[1]])
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
    t.equal(
      await store.acquire({ slot, seen: { token, epoch: 0 }, token: 'x', owner: 'x', version: 'v1', announced: null }),
      null,
    )
    t.equal(
      await store.acquire({
        slot,
        seen: { token: 'x', epoch: 1 },
        token: 'x',
        owner: 'x',
        version: 'v1',
        announced: null,
      }),
      null,
    )
    const next = await store.acquire({
      slot,
      seen: { token, epoch: 1 },
      token: 'y',
      owner: 'y',
      version: 'v2',
      announced: null,
    })
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

  check('an owner that noted that a fault kills it is not blamed, and its kill is remembered', async (t, store) => {
    await own(store)
    t.equal(await store.markKilled(slot, 'other', 0), false)
    t.equal(await store.markKilled(slot, token, 4), true)
    t.match(await store.lease(slot), { killed: 4, attempts: 0, token }, 'it owns the slot until another takes it')
    t.match(await own(store, { token: 'next' }), { unclean: true, lease: { killed: 4, attempts: 0 } })
    t.match(await own(store, { token: 'third' }), { lease: { killed: 4, attempts: 1 } }, 'the next one noted nothing')
    t.equal(await store.markKilled(slot, 'third', -1), true)
    t.match(await own(store), { lease: { killed: 4, attempts: 1 } }, 'what was killed for stays so')
    await store.commit(commitOf({ next: 5 }))
    t.match(await store.lease(slot), { killed: 4, attempts: 0, nextOffset: 5 })
    await own(store)
    t.match(await own(store), { lease: { attempts: 2 } })
    await store.markTrying(slot, token, 5)
    await store.markKilled(slot, token, 5)
    t.match(await own(store), { tried: 5, lease: { attempts: 2, killed: 5 } }, 'nor for what it was trying')
    t.match(await store.resetSlot(slot, 0), { killed: null })
    await own(store)
    t.match(await own(store), { lease: { attempts: 1 } })
    await t.rejects(store.markKilled('default/9', token, 0), refused('unknown_slot'))
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

  check('a lease behind what was announced is a store that went back: a new incarnation', async (t, store) => {
    await own(store)
    await store.commit(commitOf({ next: 5 }))
    const at = (nextOffset: number, incarnation = 0) => own(store, { announced: { incarnation, nextOffset } })
    t.match(await at(5), { wentBack: false, lease: { incarnation: 0 } })
    t.match(await at(4), { wentBack: false, lease: { incarnation: 0 } }, 'it may be ahead')
    t.match(await at(6), { wentBack: true, lease: { incarnation: 1, nextOffset: 5 } })
    t.match(await at(6), { wentBack: false, lease: { incarnation: 1, nextOffset: 5 } }, 'once')
    t.match(await at(9), { wentBack: false, lease: { incarnation: 1 } }, 'of an earlier incarnation')
    t.match(await at(0, 3), { wentBack: true, lease: { incarnation: 4, nextOffset: 5 } }, 'it lost a raise too')
    t.match(await store.lease(slot), { incarnation: 4 })
  })
}
