import type { Test } from 'tap'
import { disconnects } from '../../../protocol/client/codes.ts'
import type { ProxyView } from '../../harness/processes/api.ts'
import type { Cluster } from '../../harness/processes/cluster.ts'
import { underLoad } from '../../harness/processes/under-load.ts'
import { signalIfRunning } from '../../support/process-table.ts'
import { until } from '../../support/until.ts'
import { subscribeTimeout, transportClosed, unsubscribeError } from './close-codes.ts'

/**
 * Proxies may die or stand still: their clients resume elsewhere, those of others do not notice. The cluster declares
 * a proxy dead after `proxyDeathTime`.
 */
export function proxyScenarios(t: Test, cluster: Cluster): void {
  void t.test('a proxy is killed', (t) => killed(t, cluster))
  void t.test('a proxy is frozen until it was given up, and wakes', (t) => frozen(t, cluster))
}

/** Settings of a cluster for these scenarios. */
export const proxyScenarioSettings = { HOLDFAST_CONTROLLER_PROXY_DEATH_TIME: '3s' }

/** Rounds of killing: each proxy once where there are two. */
const killRounds = 2

async function killed(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'proxy-kill', async (fleet) => {
    const gone: string[] = []
    for (let round = 0; round < killRounds; round++) {
      const proxies = await live(cluster, gone)
      const proxy = proxies[round % proxies.length]
      if (proxy === undefined) throw new Error('there is no proxy')
      const window = fleet.mayClose('a proxy was killed', [transportClosed])
      process.kill(proxy.pid, 'SIGKILL')
      fleet.note(`killed ${proxy.id}`)
      gone.push(proxy.id)
      await live(cluster, gone)
      await fleet.connected()
      window.close()
      await fleet.flows()
    }
    t.ok(
      fleet.operations.some((operation) => operation.kind === 'delivery' && operation.recovered),
      'clients recovered what they missed',
    )
  })
}

async function frozen(t: Test, cluster: Cluster): Promise<void> {
  await underLoad(t, cluster, 'proxy-freeze', async (fleet) => {
    const [proxy] = await until(
      'the killed ones to be forgotten',
      async () => {
        const proxies = await cluster.proxies()
        return proxies.length === cluster.socketUrls.length && proxies
      },
      15_000,
    )
    if (proxy === undefined) throw new Error('there is no proxy')
    const window = fleet.mayClose('a proxy was frozen', [
      transportClosed,
      subscribeTimeout,
      unsubscribeError,
      disconnects.forceReconnect.code,
    ])
    process.kill(proxy.pid, 'SIGSTOP')
    fleet.note(`froze ${proxy.id}`)
    try {
      // It is not listed as live long before: what counts is that it was declared dead for good.
      await until(
        'the frozen proxy to be declared dead',
        () => cluster.output.includes(`proxy instance is retired {"proxy":"${proxy.id}"}`),
        15_000,
      )
    } finally {
      signalIfRunning(proxy.pid, 'SIGCONT')
    }
    fleet.note(`woke ${proxy.id}`)
    await live(cluster, [proxy.id])
    await until(
      'it to send its clients away',
      () =>
        fleet.operations.some(
          (operation) => operation.kind === 'closed' && operation.code === disconnects.forceReconnect.code,
        ),
      15_000,
    )
    await fleet.connected(30_000)
    window.close()
  })
}

/** As many proxies as the cluster has, none of them among `gone` (a dead one is listed until its death time has passed). */
async function live(cluster: Cluster, gone: string[]): Promise<ProxyView[]> {
  return until(
    `live proxies other than ${gone.join(', ')}`,
    async () => {
      const proxies = await cluster.proxies()
      const found = proxies.filter(({ id, state }) => state === 'live' && !gone.includes(id))
      return found.length === cluster.socketUrls.length && found
    },
    15_000,
  )
}
