// Proves the rules of delivery under many interleavings: clusters of the production proxies, workers and controllers,
// with clients and faults, each decided by one seed, are simulated in virtual time and judged by the history checker and
// by what must hold after every commit. A seed gives the same trace, byte for byte, each time and in each process.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { mistakes } from './mistakes.ts'
import { childEnvironment, simulate } from './pool.ts'
import { runSeed } from './run.ts'

/** Seeds of one run of the suite. */
const seeds = 1_000
/** What they may take, ms, and on how many cores. */
const boundMs = 80_000
const cores = 2

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const run = (args: string[]) => promisify(execFile)(process.execPath, [main, ...args], { env: childEnvironment() })

t.test('a seed replays exactly', async (t) => {
  for (const seed of [3, 8]) {
    const here = await traceOf(seed)
    t.ok(here === (await traceOf(seed)), `seed ${seed}, in one process`)
    const file = join(t.testdir(), 'trace.txt')
    await run(['--seed', String(seed), '--trace', file])
    t.ok(here === (await readFile(file, 'utf8')), `seed ${seed}, in another one`)
  }
})

t.test('a seed that fails ends with 1 and is named', async (t) => {
  for (const args of [
    ['--seed', '8'],
    ['--seeds', '16'],
  ]) {
    const failed = run([...args, '--mutant', 'proxy dedup off'])
    await t.rejects(failed, { code: 1, stdout: /seed \d+ failed:[^]*npm run simulate -- --seed \d+/ })
  }
})

t.test('seeds that showed a mistake once', async (t) => {
  for (const [name, { seed }] of Object.entries(mistakes)) {
    t.same((await runSeed(seed)).problems, [], `seed ${seed}: ${name}`)
  }
})

t.test(`${seeds} seeds`, async (t) => {
  const { ran, steps, cpuMs, failed } = await simulate({ from: 1, seeds })
  for (const { seed, problems } of failed) t.fail(`npm run simulate -- --seed ${seed}`, { problems })
  t.equal(ran, seeds)
  // Processor time, so that a busy machine is not a slow simulation.
  const tookMs = cpuMs / cores
  t.comment(`${steps} steps, ${(tookMs / 1_000).toFixed(1)} s on ${cores} cores`)
  t.ok(tookMs <= boundMs, `in ${boundMs / 1_000} s on ${cores} cores`)
})

async function traceOf(seed: number): Promise<string> {
  const lines: string[] = []
  await runSeed(seed, { trace: (line) => lines.push(`${line}\n`) })
  return lines.join('')
}
