/** The store keeps the contract through an engine's socket. (test/engine/server/crash.test.ts has engines that are processes.) */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { runEngine } from '../../../engine/server/engine.ts'
import { Sql } from '../../../engine/sql.ts'
import { openEmbeddedStore, temporaryDirectory } from '../../engine/start-engine.ts'
import { deadLettersIn } from '../../support/dead-letters.ts'
import { quietLogger } from '../../support/loggers.ts'
import { storeContract } from '../contract/contract.ts'

storeContract(t, 'embedded', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const onFatal = (error: Error): never => {
    throw error
  }
  const engine = await runEngine({ dataDir, sync: 'normal', logger: quietLogger, onFatal })
  t.teardown(() => engine.stop())
  return {
    open: () => openEmbeddedStore(t, dataDir),
    deadLetters(slot) {
      const sql = new Sql(new DatabaseSync(join(dataDir, 'holdfast.db'), { readOnly: true }))
      t.teardown(() => sql.close())
      return deadLettersIn(sql, slot)
    },
  }
})
