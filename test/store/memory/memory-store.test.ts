/** The in-process store keeps the contract, and its hooks cut the connection before or after a commit. */
import t from 'tap'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import { deadLettersIn } from '../../support/dead-letters.ts'
import { commitOf, own, slot, storeContract } from '../contract/contract.ts'

storeContract(t, 'memory', async (t) => {
  const data = new MemoryStoreData()
  const open = () => {
    const store = memoryStore(data)
    t.teardown(() => store.close())
    return store
  }
  return { open, deadLetters: (slot) => deadLettersIn(data.sql, slot) }
})

void t.test('a connection cut before the commit leaves nothing, one cut after it leaves everything', async (t) => {
  const data = new MemoryStoreData()
  const store = memoryStore(data)
  await store.migrate()
  await store.createGroup('default', 1, 'origin')
  await own(store)
  const cut = (request: string): void => {
    if (request === 'commit') throw new Error('cut')
  }
  await t.rejects(memoryStore(data, { beforeCommit: cut }).commit(commitOf({})), { code: 'unavailable' })
  t.equal((await store.lease(slot)).nextOffset, 0)
  await t.rejects(memoryStore(data, { afterCommit: cut }).commit(commitOf({})), { code: 'unavailable' })
  t.equal((await store.lease(slot)).nextOffset, 1)
})

void t.test('a request that is held when its handle is cut off ends unknown', async (t) => {
  const data = new MemoryStoreData()
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const store = memoryStore(data, {
    afterCommit: (request) => {
      reached.resolve()
      return request === 'createGroup' ? gate.promise : undefined
    },
  })
  await store.migrate()
  const held = store.createGroup('default', 1, 'origin')
  await reached.promise
  store.cut()
  gate.resolve()
  await t.rejects(held, { code: 'unavailable' })
  await t.rejects(store.leases(), { code: 'unavailable' })
  store.restore()
  t.equal((await store.leases()).length, 1)
})

void t.test('leadership runs out by the clock of the store', async (t) => {
  let now = 1_000
  const store = memoryStore(new MemoryStoreData(() => now))
  await store.migrate()
  t.same(await store.lead('a', 100), { term: 1_000, leader: 'a', leftMs: 100 })
  now += 99
  t.same(await store.lead('b', 100), { term: 1_000, leader: 'a', leftMs: 1 })
  now += 1
  t.same(await store.lead('b', 100), { term: 1_100, leader: 'b', leftMs: 100 })
  now -= 500
  t.same(
    await store.lead('a', 100),
    { term: 1_101, leader: 'a', leftMs: 100 },
    'the clock went back: it lasts no longer',
  )
  now -= 500
  t.same(await store.lead('a', 100), { term: 1_101, leader: 'a', leftMs: 100 }, 'who leads goes on leading')
  now += 86_400_000
  t.same(await store.lead('b', 100), { term: 86_400_100, leader: 'b', leftMs: 100 }, 'the clock went forward')
})
