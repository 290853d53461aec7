// Proves that the simulation sees what it is there to see: each rule of delivery, taken away on its own, is caught by
// some seed, and each mistake that it found is found again when it is made again.
import t from 'tap'
import { mistakes } from './mistakes.ts'
import { mutants } from './mutants.ts'
import { simulate } from './pool.ts'

/** Seeds within which each rule's absence is caught. */
const seedsMax = 400

for (const mutant of Object.keys(mutants)) {
  t.test(mutant, async (t) => {
    const { ran, failed } = await simulate({ from: 1, seeds: seedsMax, mutant })
    t.ok(failed.length > 0, `caught within ${seedsMax} seeds`)
    t.comment(`seed ${failed[0]?.seed} of ${ran}: ${failed[0]?.problems[0]?.slice(0, 200)}`)
  })
}

for (const [mutant, { seed }] of Object.entries(mistakes)) {
  t.test(mutant, async (t) => {
    const { failed } = await simulate({ from: seed, seeds: 1, mutant, jobs: 1 })
    t.equal(failed.length, 1, `seed ${seed} shows it`)
    t.comment(failed[0]?.problems[0]?.slice(0, 200) ?? '')
  })
}
