/** A simulating process: takes seeds from its parent and answers with what became of each. Argument: a mutant. */
import type { Counts } from './counts.ts'
import { install } from './mutants.ts'

/** What became of a seed. */
export interface SeedResult {
  seed: number
  problems: string[]
  steps: number
  /** Processor time that it took. */
  cpuMs: number
  /** What happened in it. */
  counts: Counts
}

const mutant = process.argv[2]
const assertMutated = mutant === undefined ? () => {} : install(mutant)
// After the mutant is in place.
const { runSeed } = await import('./run.ts')
assertMutated()

process.on('message', (seeds: number[]) => {
  void (async () => {
    for (const seed of seeds) {
      const before = process.cpuUsage()
      const { problems, steps, counts } = await runSeed(seed)
      const { user, system } = process.cpuUsage(before)
      process.send!({ seed, problems, steps, cpuMs: (user + system) / 1_000, counts } satisfies SeedResult)
    }
  })()
})
process.on('disconnect', () => process.exit())
