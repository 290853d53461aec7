/**
 * `npm run simulate`: simulates clusters, each decided by one seed.
 *
 *     --seed N [--trace FILE]      one seed; the trace holds every step, the same bytes each time
 *     --from N --seeds COUNT       many, on all cores, with a progress bar
 *     --keep-going                 does not stop at the first seed that fails
 *     --mutant NAME                with a rule of delivery taken away
 *
 * Ends with 1 and names the seed when one fails.
 */
import { createWriteStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { countLines } from './counts.ts'
import { install } from './mutants.ts'
import { simulate } from './pool.ts'
import { Progress } from './progress.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '2000' },
    'keep-going': { type: 'boolean', default: false },
    mutant: { type: 'string' },
  },
})

const whole = (name: 'seed' | 'from' | 'seeds'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number >= 0) return number
  console.error(`--${name}: a whole number is needed, not "${values[name]}"`)
  process.exit(2)
}

function failed(seed: number, problems: string[]): void {
  const mutant = values.mutant === undefined ? '' : ` --mutant "${values.mutant}"`
  console.log(
    `seed ${seed} failed:\n\n${problems.join('\n\n')}\n\nnpm run simulate -- --seed ${seed}${mutant} --trace trace.txt\n`,
  )
  process.exitCode = 1
}

async function one(seed: number): Promise<void> {
  if (values.mutant !== undefined) install(values.mutant)
  const { runSeed } = await import('./run.ts')
  const file = values.trace === undefined ? null : createWriteStream(values.trace)
  const { problems, steps, virtualMs, operations, counts } = await runSeed(
    seed,
    file === null ? {} : { trace: (line) => file.write(`${line}\n`) },
  )
  await new Promise<void>((resolve) => (file === null ? resolve() : file.end(resolve)))
  console.log(`seed ${seed}: ${steps} steps, ${Math.round(virtualMs)} virtual ms, ${operations.length} operations`)
  for (const line of countLines(counts)) console.log(line)
  if (problems.length > 0) failed(seed, problems)
}

async function many(from: number, seeds: number): Promise<void> {
  const progress = new Progress(seeds, process.stderr)
  const { mutant, 'keep-going': keepGoing } = values
  const result = await simulate({
    from,
    seeds,
    keepGoing,
    ...(mutant !== undefined && { mutant }),
    done: () => progress.step(),
  })
  progress.end()
  for (const each of result.failed) failed(each.seed, each.problems)
  for (const line of countLines(result.counts)) console.log(line)
  console.log(`${result.ran} seeds from ${from} on, ${result.steps} steps, ${result.failed.length} failed`)
}

await (values.seed === undefined ? many(whole('from'), whole('seeds')) : one(whole('seed')))
