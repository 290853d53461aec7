/**
 * Proves that what a session missed costs it as what it asks for: whoever subscribes from far back again and again reads
 * its burst and then its rate, everybody else meanwhile what is theirs, and whoever missed more than its burst gets all of
 * it, a little later.
 */
import t from 'tap'
import { errors } from '../../../protocol/client/codes.ts'
import { ReadBudget } from '../../../proxy/sessions/read-budget.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import type { Wire } from '../../harness/clients/wire.ts'
import { Served } from '../../harness/served.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/until.ts'

const count = 20
const bytes = 10_000

/** A proxy whose clients may read so much, and a room with messages. */
async function start(limits: Record<string, string>): Promise<Served> {
  const served = await Served.start({ 'client.insecure': 'true', 'client.reply_deadline': '1s', ...limits })
  const wire = await open(served)
  const data = 'x'.repeat(bytes)
  for (let n = 0; n < count; n++) await wire.command({ publish: { channel: 'room', data } })
  return served
}

async function open(served: Served): Promise<Wire> {
  const wire = await served.open()
  await wire.command({ connect: {} })
  return wire
}

const from = (offset: number) => ({ subscribe: { channel: 'room', recover: true, offset } })

/** Offsets of the room that came, in the answers to subscribes or after them. */
function offsetsOf(wire: Wire): number[] {
  return wire.messages.flatMap(({ subscribe, push }) => {
    if (push?.channel === 'room' && push.pub) return [push.pub.offset]
    return subscribe?.publications?.map(({ offset }) => offset) ?? []
  })
}

t.test('bytes come back at the rate, up to the burst', (t) => {
  const clock = new ManualClock()
  const budget = new ReadBudget(clock, { rate: 1_000, burst: 4_000 })
  const [one, other] = [{ readBudget: null } as Session, { readBudget: null } as Session]
  budget.take(one, 5_000)
  t.notOk(budget.isLeft(one))
  t.ok(budget.isLeft(other), 'to each its own')
  clock.advance(1_000)
  t.notOk(budget.isLeft(one), 'nothing is left at nought')
  clock.advance(1)
  t.ok(budget.isLeft(one))
  clock.advance(60_000)
  t.ok(budget.isLeft(one))
  budget.take(one, 4_000)
  t.notOk(budget.isLeft(one), 'no more than the burst')
  t.end()
})

t.test('who recovers again and again', async (t) => {
  await using served = await start({ 'client.read_rate': '1000', 'client.read_burst': '100000' })
  const greedy = await open(served)
  const codes: number[] = []
  for (let n = 0; n < 4; n++) {
    codes.push(await greedy.errorOf(from(0)))
    await greedy.command({ unsubscribe: { channel: 'room' } })
  }
  t.equal(codes[0], 0)
  t.equal(codes.at(-1), errors.internal.code, 'temporary: it may ask again')
  const read = offsetsOf(greedy).length * bytes
  t.ok(read >= 50_000 && read <= 250_000, `${read} bytes`)
  t.equal(greedy.closed, null)

  const modest = await open(served)
  t.equal(await modest.errorOf(from(count - 5)), 0)
  await until('it has them', () => offsetsOf(modest).length === 5)
})

t.test('who missed more than its burst', async (t) => {
  await using served = await start({ 'client.read_rate': '200000', 'client.read_burst': '50000' })
  const wire = await open(served)
  const { subscribe } = await wire.command(from(0))
  t.equal(subscribe?.recovered, true)
  await until('it has everything', () => offsetsOf(wire).length >= count)
  t.strictSame(
    offsetsOf(wire),
    Array.from({ length: count }, (_, at) => at + 1),
  )
})
