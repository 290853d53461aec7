/** The log of a real engine process keeps the contract. */
import t from 'tap'
import { EngineChild, openEmbeddedLog, temporaryDirectory } from '../../engine/start-engine.ts'
import { logContract } from '../contract.ts'

logContract(t, 'embedded', async (t) => {
  const { dataDir } = await EngineChild.start(t, await temporaryDirectory(t))
  return () => openEmbeddedLog(t, dataDir)
})
