import { stringify } from 'yaml'
import type { Config } from '../../../config/config.ts'
import { isAllowed } from '../../../controller/resources/finding.ts'
import { resourceId } from '../../../controller/resources/resource.ts'
import { exitCodes, fatal } from '../../../platform/exit-codes.ts'
import { ControllerClient } from '../../client/client.ts'
import { ControllerError } from '../../client/errors.ts'
import { unifiedDiff } from '../../output/unified-diff.ts'
import { resourcesOf, sourcedText } from './files.ts'

/**
 * Prints what applying files would change. Ends as diff(1) and kubectl's do: 0 for nothing, 1 for something, more when
 * it cannot tell.
 */
export async function diff(config: Config, paths: readonly string[]): Promise<void> {
  try {
    await compare(config, paths)
  } catch (error) {
    if (error instanceof ControllerError) fatal('holdfast', exitCodes.trouble, error.message)
    throw error
  }
}

async function compare(config: Config, paths: readonly string[]): Promise<void> {
  const { resources, findings } = await resourcesOf(paths)
  if (!isAllowed(findings)) {
    for (const finding of findings) process.stderr.write(`${sourcedText(finding)}\n`)
    process.exitCode = exitCodes.trouble
    return
  }
  const client = new ControllerClient(config)
  try {
    for (const { resource, written } of resources) {
      const before = await present(client, resource.kind, resource.metadata.name)
      const id = resourceId(resource)
      const text = unifiedDiff(linesOf(before), linesOf(written), `cluster ${id}`, `files ${id}`)
      if (text === '') continue
      process.stdout.write(text)
      process.exitCode = exitCodes.failure
    }
  } finally {
    await client.close()
  }
}

async function present(client: ControllerClient, kind: string, name: string): Promise<unknown> {
  try {
    return (await client.resource(kind, name)).resource
  } catch (error) {
    if (error instanceof ControllerError && error.code === 'unknown_resource') return null
    throw error
  }
}

/** In one order, however it was written. */
function linesOf(value: unknown): string[] {
  return value === null ? [] : stringify(value, { sortMapEntries: true }).trimEnd().split('\n')
}
