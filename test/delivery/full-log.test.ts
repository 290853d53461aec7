/**
 * Proves that a proxy whose log is full keeps its clients for as long as the log says so, is not ready meanwhile, and
 * says why; and that silence ends its patience as ever. Time is the test's own.
 */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { LogError } from '../../log/errors.ts'
import { disconnects } from '../../protocol/client/codes.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'
import { notingLogger } from '../support/loggers.ts'
import { ManualClock } from '../support/manual-clock.ts'

const isolationMs = 5_000

/** A proxy alone, with a log that the test makes full, and a clock that it moves. */
async function proxyOnFullLog(cluster: InProcessCluster) {
  const state = { isFull: false }
  const handles = cluster.handles({
    beforeAppend() {
      if (state.isFull) throw new LogError('unavailable', 'no room', { hindrance: 'full' })
    },
  })
  const clock = new ManualClock()
  const { lines, logger } = notingLogger()
  const ended: string[] = []
  const env = { ...handles.env, clock, logger }
  const proxy = await cluster.proxy({ handles: { env }, ended: (why) => ended.push(why) })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(50)
      // What a request to the log and its answer take.
      for (let turns = 0; turns < 3; turns += 1) await setImmediate()
    }
  }
  const said = () => lines.map(({ msg }) => msg)
  await pass(1_000)
  return { proxy, log: handles.env.log, state, said, ended, pass }
}

const flags = { 'proxy.isolation_timeout': `${isolationMs}ms`, 'client.ping_interval': '1h' }

t.test('a full log', async (t) => {
  await using cluster = new InProcessCluster(flags)
  const { proxy, state, said, ended, pass } = await proxyOnFullLog(cluster)
  const client = await cluster.client(proxy)
  t.equal(proxy.ready, true)
  state.isFull = true
  await pass(4 * isolationMs)
  t.equal(proxy.ready, 'the log is full')
  t.equal(client.closed, null, 'its clients stay')
  t.same(ended, [])
  t.same(said(), ['the log is full, taking no new clients'])
  state.isFull = false
  await pass(1_000)
  t.equal(proxy.ready, true)
  t.equal(said().at(-1), 'back on the log')
  t.equal(said().length, 2)
})

t.test('a log that is full and then says nothing any more', async (t) => {
  await using cluster = new InProcessCluster(flags)
  const { proxy, log, state, said, ended, pass } = await proxyOnFullLog(cluster)
  const client = await cluster.client(proxy)
  state.isFull = true
  await pass(2 * isolationMs)
  // Nothing reaches it, so that it is full cannot be known either.
  state.isFull = false
  log.cut()
  await pass(isolationMs / 2)
  t.equal(client.closed, null)
  t.equal(proxy.ready, 'isolated')
  await pass(isolationMs)
  t.same(client.closed, { code: disconnects.forceReconnect.code })
  t.same(ended, ['cut off from the log'])
  t.equal(said()[0], 'the log is full, taking no new clients')
})
