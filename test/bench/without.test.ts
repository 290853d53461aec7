/** Proves that the bench takes out of our code what it says: each cut is found where it is to be made. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { cut, cuts } from '../../bench/without.ts'
import type { Part } from '../../bench/without.ts'

const root = new URL('../../', import.meta.url)

for (const part of Object.keys(cuts) as Part[]) {
  void t.test(part, async (t) => {
    for (const file of new Set(cuts[part].map((each) => each.file))) {
      const text = readFileSync(new URL(file, root), 'utf8')
      t.ok(cut(part, file, text).length < text.length, `${file} is shorter without them`)
    }
  })
}

void t.test('what is not where it was', async (t) => {
  t.throws(() => cut('counting', 'worker/worker.ts', ''), { message: /worker\/worker\.ts has 0 of: counters/ })
})
