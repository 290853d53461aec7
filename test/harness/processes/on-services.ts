/** A cluster of real processes on the real services of the tests. */
import type { Test } from 'tap'
import { testLog, testStore } from '../../support/services.ts'
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts'

/** Proxies of a cluster on real services: clients of one that fails go on at the other. */
export const proxiesOnServices = 2

/**
 * Starts a cluster on Kafka and MariaDB, each with nothing of any other test in it, with two proxies. It, and what it
 * has left on the services, is gone when `t` ends. `options` name another log or store.
 */
export async function startOnServices(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const stack = new AsyncDisposableStack()
  t.teardown(() => stack.disposeAsync())
  const log = options.log ?? stack.use(testLog()).url
  const store = options.store ?? stack.use(await testStore()).url
  return stack.use(await startCluster({ proxies: proxiesOnServices, ...options, log, store }))
}
