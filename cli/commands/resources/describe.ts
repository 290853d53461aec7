import { stringify } from 'yaml'
import type { Config } from '../../../config/config.ts'
import { findingText } from '../../../controller/resources/finding.ts'
import { ControllerClient } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'
import { table } from '../../output/table.ts'

/** Prints all that is known of a resource: what it says, what is to be said of it, and what it was. */
export async function describe(config: Config, kind: string, name: string, json: boolean): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const [found, history] = await Promise.all([client.resource(kind, name), client.resourceHistory(kind, name)])
    if (json) return printJson({ ...found, history })
    const { findings, resource, revision, time } = found
    const rows = history.map((each) => ({
      revision: each.revision,
      time: each.time,
      what: each.resource === null ? 'deleted' : each.revision === 1 ? 'created' : 'configured',
    }))
    const parts = [
      `${found.kind}/${found.name}, revision ${revision}, applied ${time}\n`,
      stringify(resource),
      findings.length === 0 ? 'nothing is wrong with it\n' : findings.map((each) => `${findingText(each)}\n`).join(''),
      table(rows),
    ]
    process.stdout.write(parts.join('\n'))
  } finally {
    await client.close()
  }
}
