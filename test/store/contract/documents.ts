import {
  auditKept,
  deletedDocumentsKept,
  documentBytesMax,
  documentRevisionsKept,
} from '../../../store/document-size.ts'
import type { AuditEntry, DocumentWrite, Store } from '../../../store/store.ts'
import { until } from '../../support/until.ts'
import { refused, type Check } from './rows.ts'

const entry: AuditEntry = { who: 'write alice', what: 'apply', target: 'Rollout chat', before: null, after: '{}' }

const write = (name: string, seen: number, body: string | null = `{"at":${seen}}`): DocumentWrite => {
  return { kind: 'Rollout', name, seen, body }
}

/** Documents with their revisions, and the audit log. */
export function documentsContract(check: Check): void {
  check('documents compare and set by their revision, and are listed by name', async (t, store) => {
    const put = (...writes: DocumentWrite[]) => store.putDocuments({ writes, term: null, audit: null })
    t.equal(await put(write('b', 0), write('a', 0)), 'written')
    t.equal(await put(write('a', 0)), 'conflict')
    t.equal(await put(write('a', 1)), 'written')
    t.equal(await put(write('a', 1)), 'conflict')
    const listed = await store.documents('Rollout')
    t.same(
      listed.map(({ kind, name, revision, body }) => ({ kind, name, revision, body })),
      [
        { kind: 'Rollout', name: 'a', revision: 2, body: '{"at":1}' },
        { kind: 'Rollout', name: 'b', revision: 1, body: '{"at":0}' },
      ],
    )
    t.ok(listed.every(({ time }) => time > 0))
    t.same(await store.documents('Fault'), [])
  })

  check('documents that are written together are all written, or none', async (t, store) => {
    const put = (...writes: DocumentWrite[]) => store.putDocuments({ writes, term: null, audit: entry })
    t.equal(await put(write('a', 0), write('b', 3)), 'conflict')
    t.same(await store.documents('Rollout'), [])
    t.same(await store.documentHistory('Rollout', 'a', 10), [])
    t.same(await store.audit(null, 10), [])
    t.equal(await put(write('a', 0), write('b', 0)), 'written')
    t.equal((await store.documents('Rollout')).length, 2)
    t.equal((await store.audit(null, 10)).length, 1)
  })

  check('a document that was deleted goes on from its last revision', async (t, store) => {
    const put = (seen: number, body: string | null) =>
      store.putDocuments({ writes: [write('a', seen, body)], term: null, audit: null })
    t.equal(await put(0, '1'), 'written')
    t.equal(await put(1, null), 'written')
    t.same(await store.documents('Rollout'), [])
    t.equal(await put(2, '2'), 'conflict')
    t.equal(await put(0, '3'), 'written')
    t.same(
      (await store.documentHistory('Rollout', 'a', 2)).map(({ revision, body }) => [revision, body]),
      [
        [3, '3'],
        [2, null],
      ],
    )
  })

  check('a write of another term changes nothing', async (t, store) => {
    const { term } = await store.lead('c-1', 60_000)
    const put = (of: number) => store.putDocuments({ writes: [write('a', 0)], term: of, audit: entry })
    t.equal(await put(term - 1), 'fenced')
    t.equal(await put(term + 1), 'fenced')
    t.same(await store.documents('Rollout'), [])
    t.same(await store.audit(null, 10), [])
    t.equal(await put(term), 'written')
  })

  check('names of documents are told apart byte by byte, and bodies stay as they are', async (t, store) => {
    const body = JSON.stringify({ text: 'it\'s \\ ü 🙂 \u0000 "x"' })
    const writes = [write('é', 0, body), write('e\u0301', 0), write('E', 0), write('e', 0)]
    t.equal(await store.putDocuments({ writes, term: null, audit: null }), 'written')
    const listed = await store.documents('Rollout')
    t.equal(listed.length, 4)
    t.equal(listed.find(({ name }) => name === 'é')?.body, body)
  })

  check('audit entries are read newest first, a page at a time', async (t, store) => {
    for (const target of ['1', '2', '3'])
      await store.putDocuments({ writes: [], term: null, audit: { ...entry, target } })
    const [newest, middle] = await store.audit(null, 2)
    t.match(newest, { ...entry, target: '3' })
    t.match(middle, { target: '2' })
    t.ok(newest!.time > 0)
    t.same(
      (await store.audit(middle!.id, 10)).map(({ target }) => target),
      ['1'],
    )
  })

  check('old revisions give way, as old audit entries do', async (t, store) => {
    for (let seen = 0; seen < documentRevisionsKept + 2; seen += 1)
      await store.putDocuments({ writes: [write('a', seen)], term: null, audit: null })
    const kept = await store.documentHistory('Rollout', 'a', 1_000)
    t.equal(kept.length, documentRevisionsKept)
    t.equal(kept[0]!.revision, documentRevisionsKept + 2)
    t.ok(auditKept >= 1_000)
  })

  check('of deleted documents those give way that were deleted first, kind by kind', async (t, store) => {
    const put = (...writes: DocumentWrite[]) => store.putDocuments({ writes, term: null, audit: null })
    const deleted = Array.from({ length: deletedDocumentsKept }, (_, index) => `r${index}`)
    const revisions = async (kind: string, name: string) =>
      (await store.documentHistory(kind, name, 10)).map(({ revision }) => revision)
    t.equal(await put(write('z', 0), write('lives', 0), { ...write('z', 0), kind: 'Fault' }), 'written')
    for (const seen of [1, 2]) await put(write('z', seen))
    await put(write('z', 3, null), { ...write('z', 1, null), kind: 'Fault' })
    await put(...deleted.map((name) => write(name, 0)))
    await clockGoesOn(store)
    await put(...deleted.slice(1).map((name) => write(name, 1, null)))
    t.same(await revisions('Rollout', 'z'), [4, 3, 2, 1], 'as many as are kept')
    t.equal(await put(write('r0', 1, null)), 'written')
    t.same(await revisions('Rollout', 'z'), [])
    for (const name of deleted) t.same(await revisions('Rollout', name), [2, 1])
    t.same(await revisions('Rollout', 'lives'), [1])
    t.same(await revisions('Fault', 'z'), [2, 1])
  })

  check('a document that was forgotten begins anew above what anybody may have seen of it', async (t, store) => {
    const put = (...writes: DocumentWrite[]) => store.putDocuments({ writes, term: null, audit: null })
    const names = Array.from({ length: deletedDocumentsKept }, (_, index) => `r${index}`)
    await put(write('z', 0))
    await put(write('z', 1))
    await put(write('z', 2, null), ...names.map((name) => write(name, 0)))
    await clockGoesOn(store)
    await put(...names.map((name) => write(name, 1, null)))
    t.same(await store.documentHistory('Rollout', 'z', 10), [], 'it is forgotten')
    for (const seen of [1, 2, 3]) t.equal(await put(write('z', seen)), 'conflict')
    t.equal(await put(write('z', 0), write('new', 0), { ...write('z', 0), kind: 'Fault' }), 'written')
    const found = [...(await store.documents('Rollout')), ...(await store.documents('Fault'))]
    t.same(
      found.map(({ kind, name, revision }) => [kind, name, revision]),
      [
        ['Rollout', 'new', 4],
        ['Rollout', 'z', 4],
        ['Fault', 'z', 1],
      ],
    )
    for (const seen of [1, 2, 3])
      t.equal(await put(write('z', seen)), 'conflict', `whoever has seen ${seen} is refused`)
    t.equal(await put(write('r1', 0)), 'written', 'one that is remembered goes on')
    t.equal((await store.documents('Rollout')).find(({ name }) => name === 'r1')!.revision, 3)
  })

  check('a change that is refused forgets nothing', async (t, store) => {
    const names = Array.from({ length: deletedDocumentsKept + 1 }, (_, index) => `r${index}`)
    const { term } = await store.lead('c-1', 60_000)
    const put = (writes: DocumentWrite[], of: number | null = term) =>
      store.putDocuments({ writes, term: of, audit: null })
    await put(names.map((name) => write(name, 0)))
    await put(names.slice(1).map((name) => write(name, 1, null)))
    t.equal(await put([write('r0', 1, null)], term - 1), 'fenced')
    t.equal(await put([write('r0', 7, null)]), 'conflict')
    for (const name of names.slice(1)) t.equal((await store.documentHistory('Rollout', name, 10)).length, 2)
  })

  check('a document that is too large is refused', async (t, store) => {
    const put = (body: string) => store.putDocuments({ writes: [write('a', 0, body)], term: null, audit: null })
    await t.rejects(put(`"${'x'.repeat(documentBytesMax - 1)}"`), refused('refused'))
    t.equal(await put(`"${'x'.repeat(documentBytesMax - 2)}"`), 'written')
  })
}

/** Until the store's own clock, which counts milliseconds, says another time than it did. */
async function clockGoesOn(store: Store): Promise<void> {
  const write = (seen: number) =>
    store.putDocuments({ writes: [{ kind: 'Tick', name: 'tick', seen, body: '1' }], term: null, audit: null })
  await write(0)
  const [{ time } = { time: 0 }] = await store.documents('Tick')
  await until('the clock goes on', async () => {
    const [now] = await store.documents('Tick')
    if (now!.time > time) return true
    await write(now!.revision)
    return false
  })
}
