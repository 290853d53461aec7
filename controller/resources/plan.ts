import { isDeepStrictEqual } from 'node:util'
import type { DocumentWrite } from '../../store/store.ts'
import { checkTogether } from './check.ts'
import { finding } from './finding.ts'
import type { Finding } from './finding.ts'
import { resourcesMax } from './kept.ts'
import type { KeptResource } from './kept.ts'
import type { ParsedResource } from './parse.ts'
import { queriesOf } from './queries.ts'
import type { Query } from './queries.ts'
import { resourceId } from './resource.ts'
import type { Resource, ResourceKind } from './resource.ts'
import type { World } from './world.ts'

/** What becomes of one resource, in the words of kubectl. */
export interface Outcome {
  kind: ResourceKind
  name: string
  outcome: 'created' | 'configured' | 'unchanged' | 'deleted'
}

/** What is to be written, and what is to be said of it. With an error among the findings nothing is to be written. */
export interface Plan {
  outcomes: Outcome[]
  findings: Finding[]
  writes: DocumentWrite[]
  /** What those that change would have a Prometheus asked. */
  queries: Query[]
}

/** What stands in the way of a resource beside what it says: `null` for nothing. */
export type Refusal = (resource: Resource) => string | null

/** What applying resources comes to. */
export function planApply(
  kept: readonly KeptResource[],
  wanted: readonly ParsedResource[],
  world: World,
  refusal: Refusal = () => null,
): Plan {
  const plan: Plan = { outcomes: [], findings: [], writes: [], queries: [] }
  for (const { resource, written } of wanted) {
    const { kind } = resource
    const { name } = resource.metadata
    const before = kept.find((each) => each.kind === kind && each.name === name)
    const isSame = before !== undefined && isDeepStrictEqual(before.written, written)
    plan.outcomes.push({ kind, name, outcome: isSame ? 'unchanged' : before ? 'configured' : 'created' })
    if (isSame) continue
    const refused = refusal(resource)
    if (refused !== null) plan.findings.push(finding('HFT0405', resourceId(resource), [], refused))
    plan.writes.push({ kind, name, seen: before?.revision ?? 0, body: JSON.stringify(written) })
  }
  const ids = new Set(wanted.map(({ resource }) => resourceId(resource)))
  const others = kept.filter((each) => !ids.has(idOf(each)))
  if (others.length + wanted.length > resourcesMax)
    plan.findings.push(finding('HFT0001', '', [], `a cluster has ${resourcesMax} resources at most`))
  const after = [...understood(others), ...wanted.map(({ resource }) => resource)]
  const known = errorsOf(checkTogether(understood(kept), world))
  // What was wrong before, and elsewhere, keeps nobody from mending something else.
  for (const each of checkTogether(after, world))
    if (ids.has(each.resource) || (each.severity === 'error' && !known.has(keyOf(each)))) plan.findings.push(each)
  plan.queries = queriesOf(after, new Set(plan.writes.map(idOf)))
  return plan
}

/** What deleting resources comes to; one that is not there is left out. */
export function planDelete(
  kept: readonly KeptResource[],
  unwanted: readonly { kind: string; name: string }[],
  world: World,
): Plan {
  const gone = kept.filter((each) => unwanted.some(({ kind, name }) => kind === each.kind && name === each.name))
  const known = errorsOf(checkTogether(understood(kept), world))
  const after = checkTogether(understood(kept.filter((each) => !gone.includes(each))), world)
  const needed = after.filter((each) => each.severity === 'error' && !known.has(keyOf(each)))
  return {
    outcomes: gone.map(({ kind, name }) => ({ kind, name, outcome: 'deleted' })),
    findings: needed.map(({ resource, message }) =>
      finding('HFT0404', gone.map(idOf).join(' '), [], `${resource} needs it: ${message}`),
    ),
    writes: gone.map(({ kind, name, revision }) => ({ kind, name, seen: revision, body: null })),
    queries: [],
  }
}

function understood(kept: readonly KeptResource[]): Resource[] {
  return kept.flatMap(({ resource }) => resource ?? [])
}

function idOf({ kind, name }: { kind: string; name: string }): string {
  return resourceId({ kind, metadata: { name } })
}

function errorsOf(findings: readonly Finding[]): Set<string> {
  return new Set(findings.filter(({ severity }) => severity === 'error').map(keyOf))
}

const keyOf = ({ code, resource, path }: Finding): string => `${code} ${resource} ${path}`
