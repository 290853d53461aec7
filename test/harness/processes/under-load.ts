/** Faults in a cluster of real processes, and the verdict on what its clients saw meanwhile. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { writeHistory } from '../../checker/history.ts'
import { Fleet } from '../clients/fleet.ts'
import type { Cluster } from './cluster.ts'

/** Where a failing run leaves its history and the cluster's output; not part of the repository. */
const failuresDirectory = join('.tap', 'failures')

/**
 * Does `faults` to a cluster while a fleet of its own sends steadily, waits until everybody is well again and lets
 * the checker judge everything that the fleet did and saw. A failing run leaves its history and the cluster's output
 * in files.
 */
export async function underLoad(
  t: Test,
  cluster: Cluster,
  name: string,
  faults: (fleet: Fleet) => Promise<void>,
): Promise<void> {
  using fleet = await Fleet.start({ urls: cluster.socketUrls, name, namespace: cluster.ownSlots })
  try {
    fleet.startLoad()
    await fleet.flows()
    await faults(fleet)
    await fleet.healed()
    await fleet.flows()
    const verdict = await fleet.verdict()
    t.comment(fleet.summary())
    if (verdict !== '') throw new Error(`the checker found something:\n${verdict}`)
    t.pass('the checker finds nothing')
  } catch (error) {
    mkdirSync(failuresDirectory, { recursive: true })
    const path = join(failuresDirectory, name)
    writeHistory(`${path}.jsonl`, fleet.operations)
    writeFileSync(`${path}.log`, cluster.output)
    // Some of its processes may not answer any more.
    writeFileSync(`${path}.metrics`, await cluster.metrics().catch(String))
    console.error(`${name}: ${fleet.summary()}\n${name}: see ${path}.jsonl, ${path}.log and ${path}.metrics`)
    throw error
  }
}
