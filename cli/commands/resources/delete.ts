import type { Config } from '../../../config/config.ts'
import { isAllowed } from '../../../controller/resources/finding.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { ControllerClient } from '../../client/client.ts'
import { ControllerError } from '../../client/errors.ts'
import { printJson } from '../../output/output.ts'
import { resourcesOf, sourcedText } from './files.ts'

/** Deletes one resource. Throws `unknown_resource` when it is not there, `invalid_resource` when another one needs it. */
export async function deleteOne(config: Config, kind: string, name: string, json: boolean): Promise<void> {
  const outcomes = await deleted(config, [{ kind, name }], json)
  if (outcomes === 0) throw new ControllerError('unknown_resource', `there is no ${kind} ${name}`)
}

/** Deletes the resources that files name, together; those that are not there are passed over. */
export async function deleteFiles(config: Config, paths: readonly string[], json: boolean): Promise<void> {
  const { resources, findings } = await resourcesOf(paths)
  if (!isAllowed(findings)) {
    for (const finding of findings) process.stderr.write(`${sourcedText(finding)}\n`)
    process.exitCode = exitCodes.failure
    return
  }
  const names = resources.map(({ resource }) => ({ kind: resource.kind, name: resource.metadata.name }))
  const outcomes = await deleted(config, names, json)
  if (outcomes === 0 && !json) process.stdout.write('none of them is there\n')
}

async function deleted(config: Config, names: { kind: string; name: string }[], json: boolean): Promise<number> {
  const client = new ControllerClient(config)
  try {
    const { outcomes } = await client.deleteResources(names)
    if (json) printJson({ outcomes })
    else for (const { kind, name, outcome } of outcomes) process.stdout.write(`${kind}/${name} ${outcome}\n`)
    return outcomes.length
  } finally {
    await client.close()
  }
}
