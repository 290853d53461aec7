// Proves that a log which is trimmed as fast as it is written does not grow: the pages of what was removed are used
// again, so the file stays where a few rounds have brought it.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { EngineChild, openEmbeddedLog, temporaryDirectory } from '../start-engine.ts'

const perRound = 4_000
const rounds = 12
const value = Buffer.alloc(500, 'x')

t.test('the file stays bounded under steady load', async (t) => {
  const { dataDir } = await EngineChild.start(t, await temporaryDirectory(t))
  const log = openEmbeddedLog(t, dataDir)
  await log.createTopics([{ name: 'plain', partitions: 2, compacted: false }])
  const sizes: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (let count = 0; count < perRound; count += 500) {
      const entries = Array.from({ length: 500 }, () => ({ key: null, value }))
      await Promise.all([log.append('plain', 0, entries), log.append('plain', 1, entries)])
    }
    for (const partition of [0, 1]) {
      const { next } = await log.range('plain', partition)
      await log.trim('plain', partition, next - perRound)
    }
    sizes.push((await stat(join(dataDir, 'holdfast.db'))).size)
  }
  for (const partition of [0, 1]) {
    t.same(await log.range('plain', partition), { oldest: (rounds - 1) * perRound, next: rounds * perRound })
  }
  const settled = sizes.slice(rounds / 2)
  t.ok(Math.max(...settled) <= sizes[rounds / 2 - 1]! * 1.1, `no growth after the first rounds: ${sizes.join(', ')}`)
})
