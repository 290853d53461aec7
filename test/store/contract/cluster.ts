import { channelOf, commitOf, own, refused, type Check } from './rows.ts'

/** What controllers keep, and handles on the store. */
export function clusterContract(check: Check): void {
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
    const { term, leader } = results[0]!
    t.same(
      results.map((result) => [result.term, result.leader]),
      [1, 2, 3].map(() => [term, leader]),
    )
    for (const { leftMs } of results) t.ok(leftMs > 0 && leftMs <= long, 'and what is left of its time is told')
    t.ok(term > Date.parse('2020-01-01'), 'a term is a time: one that a store lost is not given out again')
    t.same(await store.lead(leader, 0), { term, leader, leftMs: 0 }, 'renewed, to end at once')
    const next = await store.lead('next', long)
    t.equal(next.leader, 'next')
    t.ok(next.term > term)
    t.match(await store.lead(leader, long), { term: next.term, leader: 'next' })
    t.match(await store.lead('next', 0), { term: next.term, leader: 'next' })
    const again = await store.lead('next', long)
    t.ok(again.term > next.term, 'a term that ran out is not gone on with')
  })

  check('a term that claims to last longer than it can is over: the clock went back since', async (t, store) => {
    const hour = 3_600_000
    const ahead = await store.lead('dead', hour)
    t.match(await store.lead('next', hour), { term: ahead.term, leader: 'dead' }, 'for its own length it is believed')
    const next = await store.lead('next', 60_000)
    t.equal(next.leader, 'next')
    t.ok(next.term > ahead.term)
  })

  check('a term is above what was heard of others, though the store and its clock went back', async (t, store) => {
    const { term } = await store.lead('a', 60_000)
    t.equal((await store.lead('a', 60_000, term)).term, term, 'its own is no other')
    const day = 86_400_000
    const above = await store.lead('a', 60_000, term + day)
    t.match(above, { term: term + day + 1, leader: 'a' }, 'while it leads')
    await store.lead('a', 0)
    t.match(
      await store.lead('b', 60_000, above.term + day),
      { term: above.term + day + 1, leader: 'b' },
      'as it begins',
    )
    t.match(await store.lead('a', 60_000, above.term + 2 * day), { leader: 'b' }, 'and takes the lead from nobody')
  })

  check('a closed handle answers no more', async (t, store, open) => {
    const other = open()
    await other.close()
    await t.rejects(other.leases(), refused('unavailable'))
    t.equal((await store.leases()).length, 2)
  })
}
