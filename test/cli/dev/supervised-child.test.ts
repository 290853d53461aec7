/** Proves what becomes of a child that ends by itself, by the rule that it was given. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import t from 'tap'
import type { Test } from 'tap'
import { SupervisedChild } from '../../../cli/dev/supervised-child.ts'
import type { EndRule } from '../../../cli/dev/supervised-child.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { environment } from '../../support/command.ts'
import { until } from '../../support/until.ts'

/** Runs the fixture by a rule; tells what it noted, line by line. */
function run(t: Test, does: string[], rule: EndRule) {
  const journal = `${t.testdir({})}/journal`
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: (line) => void lines.push(line) })
  const script = fileURLToPath(new URL('fixtures/child.js', import.meta.url))
  const env = environment({ JOURNAL: journal })
  const child = new SupervisedChild({ name: 'w', script, args: ['w', ...does], nodeOptions: [], env }, logger, rule)
  t.teardown(() => child.kill())
  child.start()
  const starts = () => (existsSync(journal) ? readFileSync(journal, 'utf8').match(/^w start/gm)?.length : 0) ?? 0
  return { child, starts, log: () => lines.join('') }
}

void t.test('one that ended in order is started anew, unless the rule says that it is not wanted', async (t) => {
  const answers = [true, false]
  const { starts, log } = run(t, ['ready', `exit=${exitCodes.ok}`], { again: async () => answers.shift() ?? true })
  await until('it stays away', () => log().includes('ended, not wanted any more'))
  t.equal(starts(), 2)
  t.same(answers, [], 'asked once for each')
})

void t.test('one that crashes is started anew, whatever is wanted', async (t) => {
  const { starts } = run(t, [`exit=${exitCodes.failure}`], { again: async () => false })
  await until('three starts', () => starts() >= 3)
})

void t.test('one that cannot start is given up only where somebody takes it', async (t) => {
  const does = [`exit=${exitCodes.badConfig}`]
  let code = 0
  const vital = run(t, does, { gaveUp: (given) => void (code = given) })
  await until('it was given up', () => code === exitCodes.badConfig)
  t.equal(vital.starts(), 1)
  const other = run(t, does, {})
  await until('three starts', () => other.starts() >= 3)
})

void t.test('one that is stopped for good is waited for no more, and twice is once', async (t) => {
  const { child, starts } = run(t, [], {})
  await until('it runs', () => starts() === 1)
  await Promise.all([child.stop(1_000), child.stop(1_000)])
  await child.ready
  t.notOk(child.isReady)
})
