// Proves when a controller leads, whatever the clocks do: what stands in the store is believed no longer than a term
// lasts, and who waits for long says for whom. A term below one that was used before is none.
import t from 'tap'
import { Leadership, leaderMs, leaderWaitSaidMs } from '../../../controller/leading/leadership.ts'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { MemoryStoreData, memoryStore } from '../../../store/memory/memory-store.ts'
import { testEnv } from '../../harness/env.ts'
import { notingLogger } from '../../support/loggers.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const dayMs = 86_400_000

async function setUp() {
  const clock = new ManualClock()
  const data = new MemoryStoreData(() => clock.now())
  await memoryStore(data).migrate()
  const { lines, logger } = notingLogger()
  const candidate = (name: string) => {
    const store = memoryStore(data)
    const log = new MemoryLog(new MemoryLogData())
    return new Leadership(testEnv({ clock, log, store, logger }), name)
  }
  return { clock, candidate, lines }
}

for (const jump of [-dayMs, -3_600_000, -leaderMs.ttl, -1, 0, 1, 3_600_000, dayMs]) {
  t.test(`the leader is killed and the clock is set by ${jump} ms: another leads within two terms`, async (t) => {
    const { clock, candidate } = await setUp()
    const [dead, next] = [candidate('dead'), candidate('next')]
    await dead.renew()
    t.ok(dead.isHeld)
    clock.jump(jump)
    for (let ms = 0; ms < 2 * leaderMs.ttl && !next.isHeld; ms += leaderMs.renew) {
      clock.advance(leaderMs.renew)
      await next.renew()
    }
    t.ok(next.isHeld)
    t.ok(next.term > dead.term)
  })
}

t.test('the clock goes back under a leader that lives: it goes on, in its term', async (t) => {
  const { clock, candidate, lines } = await setUp()
  const leader = candidate('leader')
  await leader.renew()
  const { term } = leader
  clock.jump(-dayMs)
  clock.advance(leaderMs.renew)
  await leader.renew()
  clock.advance(leaderMs.renew)
  await leader.renew()
  t.ok(leader.isHeld)
  t.equal(leader.term, term)
  t.equal(lines.filter(({ msg }) => msg === 'leading').length, 1)
})

t.test('who waits for long says once for whom and how long, and when it leads', async (t) => {
  const { clock, candidate, lines } = await setUp()
  const [leader, other] = [candidate('leader'), candidate('other')]
  await leader.renew()
  for (let ms = 0; ms <= 3 * leaderWaitSaidMs; ms += leaderMs.renew) {
    await leader.renew()
    await other.renew()
    clock.advance(leaderMs.renew)
  }
  t.match(other.holder, { leader: 'leader' })
  const said = lines.filter(({ msg }) => msg.includes('waiting to follow it'))
  t.equal(said.length, 1)
  t.match(said[0], { leader: 'leader', leftMs: Number })
  clock.advance(leaderMs.ttl)
  await other.renew()
  t.equal(other.holder, null)
  t.match(lines.at(-1), { msg: 'leading' })
})

t.test('it hears of a higher term than its own: it leads no more until it has a higher one', async (t) => {
  const { candidate } = await setUp()
  const leader = candidate('leader')
  await leader.renew()
  const heard = leader.term + 1_000
  leader.heard(heard)
  t.notOk(leader.isHeld, 'nobody would follow it')
  await leader.renew()
  t.ok(leader.isHeld, 'at once, and not when it would have renewed')
  t.ok(leader.term > heard)
})
