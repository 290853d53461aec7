import { stringify } from 'yaml'
import type { Config } from '../../../config/config.ts'
import { kindNames } from '../../../controller/resources/resource.ts'
import { ControllerClient } from '../../client/client.ts'
import type { ResourceView } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'
import { table } from '../../output/table.ts'

/** How resources are printed. */
export type ResourceFormat = 'table' | 'yaml' | 'json'

/** Prints the resources of a kind, of all kinds (`all`), or one; YAML and JSON are what `apply` takes. */
export async function get(config: Config, kind: string, name: string | null, format: ResourceFormat): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const found = await find(client, kind, name)
    const resources = found.map(({ resource }) => resource)
    if (format === 'json')
      printJson(name === null ? { apiVersion: 'v1', kind: 'List', items: resources } : resources[0])
    else if (format === 'yaml') process.stdout.write(resources.map((each) => stringify(each)).join('---\n'))
    else process.stdout.write(found.length === 0 ? 'no resources\n' : table(found.map(rowOf)))
  } finally {
    await client.close()
  }
}

/** Prints which revision of the configuration is told to all processes, and which of them follows which. */
export async function getConfig(config: Config, format: ResourceFormat): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const found = await client.configured()
    if (format === 'json') printJson(found)
    else if (format === 'yaml') process.stdout.write(stringify(found))
    else process.stdout.write(`revision ${found.revision}\n${table(found.processes)}`)
  } finally {
    await client.close()
  }
}

async function find(client: ControllerClient, kind: string, name: string | null): Promise<ResourceView[]> {
  if (name !== null) return [await client.resource(kind, name)]
  const kinds = kind === 'all' ? kindNames : [kind]
  return (await Promise.all(kinds.map((each) => client.resources(each)))).flat()
}

function rowOf({ kind, name, revision, time }: ResourceView) {
  return { kind, name, revision, applied: time }
}
