import { setTimeout as sleep } from 'node:timers/promises'
import { forAPerson } from '../../cluster/for-a-person.ts'
import { openLog } from '../../cluster/open-log.ts'
import { openStore } from '../../cluster/open-store.ts'
import { pinGroups } from '../../cluster/pin-groups.ts'
import { clusterTopics } from '../../cluster/topics.ts'
import type { Config } from '../../config/config.ts'
import { logUrl, storeUrl } from '../../config/config.ts'
import { LogError } from '../../log/errors.ts'
import { exitCodes, fatal } from '../../platform/exit-codes.ts'
import { systemRandom } from '../../platform/random.ts'
import { StoreError } from '../../store/errors.ts'

/** Services that are being started are waited for. */
const patienceMs = 30_000
const retryMs = 250

/** Makes or upgrades the store's tables, pins the slots, makes or checks the log's topics. Safe to repeat. */
export async function migrate(config: Config): Promise<void> {
  const [log, store] = await Promise.all([openLog(logUrl(config)), openStore(storeUrl(config))])
  try {
    await patiently(() => store.migrate())
    await pinGroups(store, config, systemRandom.hex(6))
    process.stdout.write('store: the tables are up to date\n')
    await patiently(() => log.createTopics(clusterTopics(config)))
    process.stdout.write('log: the topics are as they should be\n')
  } catch (error) {
    const advice = forAPerson(error)
    if (advice !== null) fatal('holdfast', exitCodes.badConfig, advice)
    if (error instanceof StoreError) fatal('store', exitCodes.failure, error.message)
    if (error instanceof LogError) fatal('log', exitCodes.failure, error.message)
    throw error
  } finally {
    await Promise.all([log.close(), store.close()])
  }
}

async function patiently(request: () => Promise<void>): Promise<void> {
  const end = performance.now() + patienceMs
  for (;;) {
    try {
      return await request()
    } catch (error) {
      const isTemporary = (error instanceof LogError || error instanceof StoreError) && error.code === 'unavailable'
      if (!isTemporary || performance.now() > end) throw error
    }
    await sleep(retryMs)
  }
}
