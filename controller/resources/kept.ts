import type { Document, Store } from '../../store/store.ts'
import { checkResource } from './parse.ts'
import { kindNames } from './resource.ts'
import type { Resource, ResourceKind } from './resource.ts'

/** A resource as the store has it. */
export interface KeptResource {
  kind: ResourceKind
  name: string
  revision: number
  /** Milliseconds since 1970 when it was applied, by the store's clock. */
  time: number
  /** As it was applied, without defaults. */
  written: Record<string, unknown>
  /** With defaults; null when this version of Holdfast does not understand it. */
  resource: Resource | null
}

/** Resources that a cluster has at most. */
export const resourcesMax = 200

/** All resources of the cluster, kind by kind and by name. */
export async function keptResources(store: Pick<Store, 'documents'>): Promise<KeptResource[]> {
  const kinds = await Promise.all(kindNames.map((kind) => store.documents(kind)))
  return kinds.flat().map(keptOf)
}

function keptOf({ kind, name, revision, time, body }: Document): KeptResource {
  const written = JSON.parse(body) as Record<string, unknown>
  const { parsed } = checkResource(written)
  return { kind: kind as ResourceKind, name, revision, time, written, resource: parsed?.resource ?? null }
}
