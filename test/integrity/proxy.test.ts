// Proves with real processes, 200 real clients in 40 rooms and steady load: when the proxy is killed, or frozen until
// it was given up and then woken, clients resume on its restart and recover all that they missed; sockets close only
// then, and the checker finds nothing.
import t from 'tap'
import { signalIfRunning, startCluster, type ProxyView } from '../support/cluster.ts'
import { underLoad } from '../support/under-load.ts'
import { until } from '../support/until.ts'

/** The SDK's code for a socket that is gone without a word. */
const transportClosed = 1
/** The SDK's codes for a subscribe and an unsubscribe without an answer. */
const subscribeTimeout = 3
const unsubscribeError = 4
/** A proxy that was given up asks its clients to resume elsewhere. */
const forceReconnect = 3_011

const cluster = await startCluster({ settings: { HOLDFAST_CONTROLLER_PROXY_DEATH_TIME: '3s' } })
t.teardown(() => cluster.stop())

/** The proxy that serves, none of those that are `gone` (a dead one is listed until its death time has passed). */
async function liveProxy(gone: string[]): Promise<ProxyView> {
  return until(async () => (await cluster.proxies()).find(({ id, state }) => state === 'live' && !gone.includes(id)), {
    deadlineMs: 15_000,
    what: `a live proxy other than ${gone.join(', ')}`,
  })
}

void t.test('the proxy is killed', async (t) => {
  await underLoad(t, cluster, 'proxy-kill', async (fleet) => {
    const gone: string[] = []
    for (let round = 0; round < 2; round++) {
      const proxy = await liveProxy(gone)
      const window = fleet.mayClose('the proxy was killed', [transportClosed])
      process.kill(proxy.pid, 'SIGKILL')
      fleet.note(`killed ${proxy.id}`)
      gone.push(proxy.id)
      await liveProxy(gone)
      await fleet.connected()
      window.close()
      await fleet.flows()
    }
    t.ok(
      fleet.operations.some((operation) => operation.kind === 'delivery' && operation.recovered),
      'clients recovered what they missed',
    )
  })
})

void t.test('the proxy is frozen until it was given up, and wakes', async (t) => {
  await underLoad(t, cluster, 'proxy-freeze', async (fleet) => {
    const proxy = await until(
      async () => {
        const proxies = await cluster.proxies()
        return proxies.length === 1 && proxies[0]
      },
      { deadlineMs: 15_000, what: 'one proxy, the killed ones forgotten' },
    )
    const window = fleet.mayClose('the proxy was frozen', [
      transportClosed,
      subscribeTimeout,
      unsubscribeError,
      forceReconnect,
    ])
    process.kill(proxy.pid, 'SIGSTOP')
    fleet.note(`froze ${proxy.id}`)
    try {
      // It is not listed as live long before: what counts is that it was declared dead for good.
      await until(() => cluster.output.includes(`proxy instance is retired {"proxy":"${proxy.id}"}`), {
        deadlineMs: 15_000,
        what: 'the frozen proxy to be declared dead',
      })
    } finally {
      signalIfRunning(proxy.pid, 'SIGCONT')
    }
    fleet.note(`woke ${proxy.id}`)
    await liveProxy([proxy.id])
    await until(
      () => fleet.operations.some((operation) => operation.kind === 'closed' && operation.code === forceReconnect),
      {
        deadlineMs: 15_000,
        what: 'it to send its clients away',
      },
    )
    await fleet.connected(30_000)
    window.close()
  })
})
