// Proves with drawn names, users, infos, data and numbers of commands, at and over every bound, that whatever a client
// sends is answered and troubles nobody else: in memory, and through a real engine.
import t from 'tap'
import { MemoryLog, MemoryLogData } from '../../log/memory/memory-log.ts'
import { MemoryStoreData, memoryStore } from '../../store/memory/memory-store.ts'
import { EngineChild, openEmbeddedLog, openEmbeddedStore, temporaryDirectory } from '../engine/start-engine.ts'
import { answersWhateverTheSize } from './any-size.ts'

t.test('in memory', async (t) => {
  const [logData, storeData] = [new MemoryLogData(), new MemoryStoreData()]
  await answersWhateverTheSize(t, async () => ({ log: new MemoryLog(logData), store: memoryStore(storeData) }), 40)
})

t.test('embedded', async (t) => {
  const { dataDir } = await EngineChild.start(t, await temporaryDirectory(t))
  const open = async () => ({ log: openEmbeddedLog(t, dataDir), store: openEmbeddedStore(t, dataDir) })
  await answersWhateverTheSize(t, open, 10)
})
