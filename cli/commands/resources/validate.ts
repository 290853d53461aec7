import type { Config } from '../../../config/config.ts'
import { checkTogether } from '../../../controller/resources/check.ts'
import { isAllowed, withoutReferences } from '../../../controller/resources/finding.ts'
import type { Finding } from '../../../controller/resources/finding.ts'
import { unknownWorld } from '../../../controller/resources/world.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { ControllerClient } from '../../client/client.ts'
import { ControllerError } from '../../client/errors.ts'
import { printJson } from '../../output/output.ts'
import { resourcesOf, sourcedText } from './files.ts'
import type { FromFiles } from './files.ts'

/** What resources were held to. */
interface Checked {
  /** `cluster`: to what is applied there, its slots and its workers; `files`: to one another alone. */
  against: 'cluster' | 'files'
  /** Why not to the cluster. */
  reason: string | null
  findings: Finding[]
}

/** Checks the resources of files, with the cluster where one answers, and changes nothing. */
export async function validate(config: Config, paths: readonly string[], json: boolean): Promise<void> {
  const read = await resourcesOf(paths)
  const { against, reason, findings } = await check(config, read)
  const all = [...read.findings, ...findings.map((each) => ({ ...each, source: paths.join(' ') }))]
  if (!isAllowed(all)) process.exitCode = exitCodes.failure
  if (json) return printJson({ ok: isAllowed(all), against, findings: all })
  for (const finding of all) process.stdout.write(`${sourcedText(finding)}\n`)
  const count = `${read.resources.length} resources`
  const where = reason === null ? 'with the cluster' : `by themselves, not with a cluster: ${reason}`
  process.stdout.write(`${count} ${isAllowed(all) ? 'are good' : 'were read'}, checked ${where}\n`)
}

async function check(config: Config, { resources }: FromFiles): Promise<Checked> {
  const client = new ControllerClient(config)
  try {
    const { findings } = await client.validate(resources.map(({ written }) => written))
    return { against: 'cluster', reason: null, findings }
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error
    const findings = withoutReferences(
      checkTogether(
        resources.map(({ resource }) => resource),
        unknownWorld,
      ),
    )
    return { against: 'files', reason: error.message, findings }
  } finally {
    await client.close()
  }
}
