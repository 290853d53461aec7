/**
 * An engine that is killed at any time keeps what it answered: acknowledged means present after the restart, anything
 * else is there as a whole or not at all, and readers go on without a skip or a repeat. Also while its thread works the
 * write-ahead log into the file.
 */
import t, { type Test } from 'tap'
import { LogError } from '../../../log/errors.ts'
import type { Log, LogRecord } from '../../../log/log.ts'
import { StoreError } from '../../../store/errors.ts'
import type { Store } from '../../../store/store.ts'
import { channelOf, commitOf, messageOf, own, slot } from '../../store/contract/contract.ts'
import { until } from '../../support/until.ts'
import { EngineChild, openEmbeddedLog, openEmbeddedStore, temporaryDirectory } from '../start-engine.ts'

const kills = 3

/** Entries of one append: all of them are there, or none. */
const perAppend = 3

/** Appends one after the other until told to stop; returns which were acknowledged, and where. */
async function appendSteadily(
  log: Log,
  name: string,
  stopped: () => boolean,
  acked: () => void,
): Promise<Map<string, number>> {
  const acknowledged = new Map<string, number>()
  for (let n = 0; !stopped(); n += 1) {
    const entries = Array.from({ length: perAppend }, (_, part) => ({
      key: null,
      value: Buffer.from(`${name} ${n} ${part}`),
    }))
    try {
      acknowledged.set(`${name} ${n}`, await log.append('t', 0, entries))
      acked()
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'unavailable') throw error
    }
  }
  return acknowledged
}

/** Commits one after the other, learning the outcome where it is unknown; returns how many were acknowledged. */
async function commitSteadily(store: Store, stopped: () => boolean, acked: () => void): Promise<{ next: number }> {
  let next = 0
  while (!stopped()) {
    const commit = commitOf({
      expected: next,
      next: next + 1,
      channels: [channelOf('room', next + 1)],
      messages: [messageOf('room', next + 1)],
      outbox: [{ batchEnd: next + 1, part: 0, inboxes: ['p'], body: Buffer.alloc(2_000) }],
    })
    try {
      if ((await store.commit(commit)) !== 'committed') throw new Error(`fenced at ${next}`)
      next += 1
      acked()
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
      const found = (await leaseWhenUp(store)).nextOffset
      if (found !== next && found !== next + 1)
        throw new Error(`at ${found} after a commit at ${next}`, { cause: error })
      next = found
    }
  }
  return { next }
}

async function leaseWhenUp(store: Store): ReturnType<Store['lease']> {
  for (;;) {
    try {
      return await store.lease(slot)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error
    }
  }
}

void t.test('kill -9 in mid append and commit, again and again', (t) => underKills(t, []))

for (const sync of ['normal', 'full'])
  void t.test(`kill -9 in mid checkpoint, sync ${sync}`, (t) => underKills(t, [sync, 'busy']))

async function underKills(t: Test, options: readonly string[]): Promise<void> {
  const dataDir = await temporaryDirectory(t)
  let engine = await EngineChild.start(t, dataDir, options)
  const logs = [openEmbeddedLog(t, dataDir), openEmbeddedLog(t, dataDir)]
  const store = openEmbeddedStore(t, dataDir)
  const tail = openEmbeddedLog(t, dataDir)
  await tail.createTopics([{ name: 't', partitions: 1, compacted: false }])
  await store.createGroup('default', 1, 'origin')
  await own(store)

  const seen: LogRecord[] = []
  const reader = tail.read('t', 0, 0)
  const reading = (async () => {
    for (;;) seen.push(...(await reader.next()))
  })()
  reading.catch(() => {})

  let stopped = false
  const isStopped = (): boolean => stopped
  let progress = { appends: 0, commits: 0 }
  let noticed = (): void => {}
  const acked = (kind: 'appends' | 'commits') => (): void => {
    progress[kind] += 1
    noticed()
  }
  const work = Promise.all([
    Promise.all(logs.map((log, index) => appendSteadily(log, `w${index}`, isStopped, acked('appends')))),
    commitSteadily(store, isStopped, acked('commits')),
  ])
  const flows = async (): Promise<void> => {
    progress = { appends: 0, commits: 0 }
    await new Promise<void>((resolve) => {
      noticed = () => {
        if (progress.appends >= 100 && progress.commits >= 50) resolve()
      }
    })
  }
  await Promise.race([flows(), work])
  for (let kill = 0; kill < kills; kill += 1) {
    await engine.end('SIGKILL')
    engine = await EngineChild.start(t, dataDir, options)
    await Promise.race([flows(), work])
  }
  stopped = true
  const [appended, committed] = await work

  const { next } = await tail.range('t', 0)
  const records: LogRecord[] = []
  const all = openEmbeddedLog(t, dataDir).read('t', 0, 0)
  while (records.length < next) records.push(...(await all.next()))
  const texts = records.map(({ value }) => value.toString())
  t.equal(new Set(texts).size, texts.length, 'nothing twice')
  t.ok(
    texts.every((text, index) => text.endsWith(` ${index % perAppend}`)),
    'appends are whole',
  )
  for (const acknowledged of appended) {
    const wrong = [...acknowledged].filter(([text, offset]) => texts[offset] !== `${text} 0`)
    t.same(wrong, [], 'what was acknowledged is there, where it was said to be')
  }

  const messages = await store.messages(slot, {
    channel: 'room',
    after: 0,
    before: null,
    since: 0,
    limit: 1e6,
    reverse: false,
    bytesMax: 1e9,
  })
  t.equal((await store.lease(slot)).nextOffset, committed.next)
  t.same(
    messages.map(({ offset }) => offset),
    Array.from({ length: committed.next }, (_, index) => index + 1),
  )
  t.equal((await own(store)).outbox.length, committed.next, 'a commit is there as a whole')

  await tail.append('t', 0, [{ key: null, value: Buffer.from('the end') }])
  await until('the reader is at the end', () => seen.at(-1)?.value.toString() === 'the end')
  t.same(
    seen.slice(0, -1).map(({ value }) => value.toString()),
    texts,
    'the reader skipped and repeated nothing',
  )
  reader.close()
}
