/** Faults in a cluster of real processes, and the verdict on what its clients saw meanwhile. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { report } from '../../checker/checker.ts'
import type { Finding } from '../../checker/finding.ts'
import { writeHistory } from '../../checker/history.ts'
import { Fleet } from '../clients/fleet.ts'
import type { FleetOptions } from '../clients/fleet.ts'
import type { Cluster } from './cluster.ts'

/** Where a failing run leaves its history and the cluster's output; not part of the repository. */
const failuresDirectory = join('.tap', 'failures')

export interface LoadOptions {
  /** Of the fleet, where it is not the usual one. */
  fleet?: Partial<FleetOptions>
  /** What the checker found; without it, anything is a failure. */
  judge?: (findings: Finding[], fleet: Fleet) => void
}

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
  { fleet: own, judge = isClean }: LoadOptions = {},
): Promise<void> {
  using fleet = await Fleet.start({ urls: cluster.socketUrls, name, namespace: cluster.ownSlots, ...own })
  try {
    fleet.startLoad()
    await fleet.flows()
    await faults(fleet)
    await fleet.healed()
    await fleet.flows()
    const findings = await fleet.findings()
    t.comment(fleet.summary())
    judge(findings, fleet)
    t.pass('the checker finds what is to be found')
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

function isClean(findings: Finding[]): void {
  if (findings.length > 0) throw new Error(`the checker found something:\n${report(findings)}`)
}
