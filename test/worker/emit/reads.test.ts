// Proves how a worker shares its reads: slot by slot and session by session, so that whoever asks for much waits for
// itself; few of one slot at once; none while much waits on the way to its inbox, or once nobody waits for it any more.
import t from 'tap'
import { createMetrics } from '../../../observability/metrics.ts'
import type { App } from '../../../protocol/app/contract.ts'
import { errors } from '../../../protocol/client/codes.ts'
import type { AnswerRecord } from '../../../protocol/records/answer.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import type { Message, Store } from '../../../store/store.ts'
import type { Lanes } from '../../../worker/emit/lanes.ts'
import { Reads, readsPerSlotMax, readsWaitingMax } from '../../../worker/emit/reads.ts'
import type { CommittedRead } from '../../../worker/emit/reads.ts'
import { testEnv } from '../../harness/env.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const deadlineMs = 4_500
const a: SlotId = 'default/0'
const b: SlotId = 'default/1'

function setUp(concurrency: number) {
  const clock = new ManualClock()
  const metrics = createMetrics()
  /** Reads at the store, and how to end them. */
  const atStore: { slot: SlotId; name: string; end: () => Promise<void> }[] = []
  const answers: { n: number; code: number | null }[] = []
  const dones: (() => void)[] = []
  const full = new Set<string>()
  const store = {
    messages: (slot: SlotId, query: { channel: string }) => {
      const { promise, resolve } = Promise.withResolvers<Message[]>()
      const end = async () => {
        atStore.splice(atStore.indexOf(one), 1)
        resolve([])
        await new Promise(setImmediate)
      }
      const one = { slot, name: query.channel, end }
      atStore.push(one)
      return promise
    },
  }
  const lanes = {
    hasRoomFor: (inbox: string) => !full.has(inbox),
    answer: ({ n, error }: AnswerRecord, _: boolean, done: () => void) => {
      answers.push({ n, code: error?.code ?? null })
      dones.push(done)
    },
  }
  const env = testEnv({ clock, metrics, store: store as unknown as Store })
  const app = { answer: () => ({ body: '{}' }) }
  const options = { worker: 'w', version: 'v', concurrency, deadlineMs }
  const reads = new Reads(env, app as unknown as App, lanes as unknown as Lanes, options)
  let n = 0
  const add = (slot: SlotId, session: string, instance = 'p') => {
    const name = `${slot} ${session} ${++n}`
    reads.add(slot, {
      session,
      query: { channel: name },
      n,
      instance,
      asked: { by: 'app' },
    } as unknown as CommittedRead)
    return name
  }
  const underWay = () => atStore.map(({ name }) => name)
  return { clock, metrics, add, atStore, underWay, answers, dones, full }
}

t.test('each slot and each session in its turn', async (t) => {
  const { add, atStore, underWay } = setUp(1)
  const greedy = Array.from({ length: 10 }, () => add(a, 'greedy'))
  const [modest, other] = [add(a, 'modest'), add(b, 'other')]
  const order: string[] = []
  while (atStore.length > 0) {
    t.equal(atStore.length, 1)
    order.push(...underWay())
    await atStore[0]!.end()
  }
  t.equal(order.length, 12, 'all are answered')
  t.same(new Set(order.slice(0, 4)), new Set([greedy[0], greedy[1], modest, other]), 'nobody waits for the greedy one')
})

t.test('few of one slot', async (t) => {
  const { add, underWay } = setUp(readsPerSlotMax + 2)
  for (let count = 0; count < 20; count++) add(a, `s-${count}`)
  t.equal(underWay().length, readsPerSlotMax)
  const other = add(b, 's')
  t.ok(underWay().includes(other), 'a read of another slot goes at once')
})

t.test('none while much waits to go where its answer goes', async (t) => {
  const { add, atStore, underWay, full, dones } = setUp(16)
  const first = add(a, 's', 'slow')
  full.add('slow')
  const second = add(a, 't', 'slow')
  const other = add(a, 'u', 'quick')
  t.same(underWay(), [first, other])
  await atStore[0]!.end()
  t.same(underWay(), [other])
  full.delete('slow')
  dones[0]!()
  t.same(underWay(), [other, second], 'it goes on once there is room')
})

t.test('too many, and too late', async (t) => {
  const { clock, metrics, add, atStore, underWay, answers } = setUp(1)
  const running = add(a, 'greedy')
  for (let count = 0; count < readsWaitingMax.session; count++) add(a, 'greedy')
  t.same(answers, [], 'as many may wait')
  add(a, 'greedy')
  t.same(
    answers.map(({ code }) => code),
    [errors.tooManyRequests.code],
    'one too many',
  )
  t.same(underWay(), [running])
  clock.advance(deadlineMs + 1)
  const late = add(b, 'other')
  await atStore[0]!.end()
  t.same(underWay(), [late], 'what nobody waits for is not read')
  t.equal((await metrics.readsDropped.get()).values[0]!.value, readsWaitingMax.session)
  await atStore[0]!.end()
  t.same(
    answers.map(({ code }) => code),
    [errors.tooManyRequests.code, null, null],
  )
})
