/** Proves that a process can live with the configuration of a neighbour whose schema lacks keys, or has others. */
import t from 'tap'
import type { Config } from '../../config/config.ts'
import { completed, defaultConfig } from '../../config/keys.ts'

void t.test('what it lacks has its default, what it says stays', async (t) => {
  const { worker, ...rest } = defaultConfig()
  const given = { ...rest, data_dir: '/elsewhere', worker: { version: 'v2', later: 1 } } as unknown as Config
  const config = completed(given)
  t.match(config, { data_dir: '/elsewhere', worker: { ...worker, version: 'v2', later: 1 } })
  t.same(given.worker, { version: 'v2', later: 1 }, 'what was given is not touched')
})
