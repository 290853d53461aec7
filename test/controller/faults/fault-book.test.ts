// Proves that a configuration that is not the leader's does not stay in the log, and that whoever writes there does not make
// the leader write for every record.
import t from 'tap'
import { Events } from '../../../controller/events/events.ts'
import { FaultBook, retellMs } from '../../../controller/faults/fault-book.ts'
import { Hints } from '../../../controller/leading/hints.ts'
import { CurrentResources } from '../../../controller/resources/current.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { decodeControl } from '../../../protocol/records/control.ts'
import { controlTopic } from '../../../protocol/records/topics.ts'
import { memoryStore, MemoryStoreData } from '../../../store/memory/memory-store.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

const delay = { stage: 'db', delay: { percentage: { value: 100 }, fixedDelay: '1s' } }

/** A leader's book, and what it has told. */
async function book() {
  const clock = new ManualClock()
  const data = new MemoryLogData()
  data.createTopics([{ name: controlTopic, partitions: 1, compacted: false }])
  const store = memoryStore(new MemoryStoreData(() => clock.now()))
  await store.migrate()
  const { term } = await store.lead('c', 60_000, 0)
  const env = testEnv({ clock, log: new MemoryLog(data), store })
  const resources = new CurrentResources(store)
  const faults = new FaultBook(env, new Hints(env), {
    events: new Events('c', clock),
    resources,
    areOn: true,
    mustExpire: false,
  })
  const told = () => data.read(controlTopic, 0, 0).map(({ value }) => decodeControl(value))
  await faults.look(term)
  return { faults, clock, term, told }
}

void t.test('another configuration in the log is replaced, after a while and once', async (t) => {
  const { faults, clock, term, told } = await book()
  const revision = await faults.put('slow', delay, 'ada')
  await until('it is told', () => told().length === 1)
  const foreign = [null, { term, revision: revision + 1 }, { term: term - 1, revision }]
  for (const [index, other] of foreign.entries()) {
    faults.heard({ term, revision })
    for (let times = 0; times < 100; times++) faults.heard(other)
    clock.advance(retellMs - 1)
    await faults.look(term)
    t.equal(told().length, index + 1, 'people have time to see it')
    clock.advance(1)
    await faults.look(term)
    await until('it is told again', () => told().length === index + 2)
    t.match(told().at(-1), { type: 'config', term, revision, faults: [{ name: 'slow' }] })
    clock.advance(retellMs)
    await faults.look(term)
    t.equal(told().length, index + 2, 'once')
  }
})

void t.test('what the leader has told itself is no other', async (t) => {
  const { faults, clock, term, told } = await book()
  const first = await faults.put('slow', delay, 'ada')
  const second = await faults.put('slower', delay, 'ada')
  // Its own come back through the log, the older one after the newer was told.
  faults.heard({ term, revision: first })
  faults.heard({ term, revision: second })
  clock.advance(retellMs)
  await faults.look(term)
  const third = await faults.put('slowest', delay, 'ada')
  await until('the third is told', () => told().some((record) => record.type === 'config' && record.revision === third))
  t.equal(told().length, 3)
})

void t.test('where nothing is set that is told instead', async (t) => {
  const { faults, clock, term, told } = await book()
  faults.heard(null)
  clock.advance(retellMs)
  await faults.look(term)
  await until('it is told', () => told().length === 1)
  t.match(told(), [{ type: 'config', term, revision: 0, faults: [] }])
})

void t.test('what was there before a term counts from its beginning', async (t) => {
  const { faults, clock, term, told } = await book()
  faults.heard({ term: term - 1, revision: 1 })
  clock.advance(retellMs)
  await faults.look(term + 1)
  t.strictSame(told(), [])
  clock.advance(retellMs)
  await faults.look(term + 1)
  await until('it is told', () => told().length === 1)
})
