import { setTimeout as sleep } from 'node:timers/promises'
import type * as PathModule from './path.ts'
import type { Path } from './path.ts'
import type { RoundsOrder, RoundsReport } from './rounds.ts'
import { loadCopies } from './without.ts'

/** Compilers have done their work after so many rounds that do not count. */
const warmUpRounds = 10
/** Within this a worker has told all that it counted. */
const quietMs = 2_500

/**
 * The same code three times in one process: as it is, as it is once more, and without a part. They publish in turn, so
 * that what else the machine does befalls all of them.
 */
async function run({ part, rounds, loads }: RoundsOrder): Promise<RoundsReport> {
  loadCopies()
  const [asItIs, again, without] = [
    await start('as-it-is', ''),
    await start('again', ''),
    await start('without', part),
  ] as const
  const paths = { asItIs, again, without }
  const report: RoundsReport = { loads: {}, beats: { asItIs: [], without: [] } }
  for (const { name, publishes, atOnce } of loads) {
    const measured: RoundsReport['loads'][string] = []
    for (let round = -warmUpRounds; round < rounds; round++) {
      const cpu = { asItIs: 0, again: 0, without: 0 }
      const names = Object.keys(paths) as (keyof typeof paths)[]
      // Each is the first, the second and the last as often.
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(turn + round + warmUpRounds) % names.length]!
        cpu[name] = await cpuOf(paths[name], publishes, atOnce)
      }
      if (round >= 0) measured.push(cpu)
    }
    report.loads[name] = measured
  }
  await sleep(quietMs)
  report.beats = { asItIs: await asItIs.beats(), without: await without.beats() }
  return report
}

async function start(copy: string, part: string): Promise<Path> {
  const { Path } = (await import(`./path.ts?copy=${copy}&without=${part}`)) as typeof PathModule
  return Path.start()
}

/** Of this process, all of its threads, for each publish, µs. */
async function cpuOf(path: Path, publishes: number, atOnce: number): Promise<number> {
  const before = process.cpuUsage()
  await path.publish(publishes, atOnce)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / publishes
}

process.on('message', (order: RoundsOrder) => {
  run(order).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
