// Proves that the tests of analysis and of ejections see what they are there to see: each rule, taken away on its own, makes one fail.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { cleanEnvironment } from '../../support/process.ts'
import { mutants } from './mutants.ts'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

for (const [name, { test }] of Object.entries(mutants)) {
  t.test(name, async (t) => {
    const child = spawn(process.execPath, ['--import', pathOf('fixtures/mutant.ts'), pathOf(test)], {
      env: { ...cleanEnvironment(), MUTANT: name },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    t.equal(code, 1)
    t.match(said, /^ +not ok /m, `${test} fails, and not before it began`)
  })
}
