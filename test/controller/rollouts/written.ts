import { checkResource } from '../../../controller/resources/parse.ts'
import { apiVersion } from '../../../controller/resources/resource.ts'
import type { Resource, ResourceKind } from '../../../controller/resources/resource.ts'

/** A resource as a person writes it. */
export function written(kind: ResourceKind, name: string, spec: unknown): Record<string, unknown> {
  return { apiVersion, kind, metadata: { name }, spec }
}

/** The same as a controller understands it. Throws when it does not. */
export function understood<K extends ResourceKind>(kind: K, name: string, spec: unknown): Resource<K> {
  const { parsed, findings } = checkResource(written(kind, name, spec))
  if (parsed === null) throw new Error(JSON.stringify(findings))
  return parsed.resource as Resource<K>
}
