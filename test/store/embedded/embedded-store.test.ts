/** The store keeps the contract through an engine's socket. (test/engine/server/crash.test.ts has engines that are processes.) */
import { pino } from 'pino'
import t from 'tap'
import { runEngine } from '../../../engine/server/engine.ts'
import { openEmbeddedStore, temporaryDirectory } from '../../engine/start-engine.ts'
import { storeContract } from '../contract/contract.ts'

storeContract(t, 'embedded', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const onFatal = (error: Error): never => {
    throw error
  }
  const engine = await runEngine({ dataDir, sync: 'normal', logger: pino({ level: 'silent' }), onFatal })
  t.teardown(() => engine.stop())
  return () => openEmbeddedStore(t, dataDir)
})
