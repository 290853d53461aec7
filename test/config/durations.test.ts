/**
 * Proves that every duration can be what the schema allows: at its least and at its most a cluster starts and
 * listens, and no timer of Node is given a wait that it does not take (such a one is over at once, again and again).
 */
import t from 'tap'
import { shorterDurations } from '../../config/check.ts'
import { configKeys } from '../../config/keys.ts'
import type { ConfigKey } from '../../config/keys.ts'
import { buildListener } from '../../proxy/listener/listener.ts'
import { InProcessCluster } from '../harness/in-process-cluster.ts'

const durations = new Map(configKeys.filter(({ kind }) => kind === 'duration').map((key) => [key.path, key]))

/** The key at one of its bounds, and whatever else has to be set for that. */
function flagsAt({ path, schema }: ConfigKey, bound: 'minimum' | 'maximum'): Record<string, string> {
  const flags: Record<string, string> = { [path]: `${schema[bound]}ms` }
  for (const [shorter, longer] of shorterDurations) {
    const longest = durations.get(longer)!.schema.maximum!
    if (path === shorter) {
      flags[longer] = `${longest}ms`
      flags[shorter] = `${Math.min(schema[bound]!, longest - 1)}ms`
    }
    if (path === longer) flags[shorter] = `${durations.get(shorter)!.schema.minimum}ms`
  }
  // Without a history nothing can be recovered, which is what `holdfast dev` turns on.
  if (flags['channel.without_namespace.history_ttl'] === '0ms')
    flags['channel.without_namespace.force_recovery'] = 'false'
  return flags
}

void t.test('every duration at its bounds', async (t) => {
  const warnings: string[] = []
  const warned = ({ name, message }: Error): unknown => name.startsWith('Timeout') && warnings.push(message)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  for (const key of durations.values()) {
    for (const bound of ['minimum', 'maximum'] as const) {
      const flags = flagsAt(key, bound)
      await using cluster = new InProcessCluster(flags)
      const handles = cluster.handles()
      const [proxy] = await Promise.all([cluster.proxy({ handles }), cluster.controller(), cluster.worker()])
      const listener = await buildListener(proxy, cluster.config, handles.env)
      await listener.listen({ host: '127.0.0.1', port: 0 })
      // Node warns in the turn after.
      await new Promise((resolve) => setImmediate(resolve))
      await listener.close()
      t.same(warnings, [], JSON.stringify(flags))
    }
  }
})
