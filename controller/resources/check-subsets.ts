import type { Subset } from './destination-rule.ts'
import { finding } from './finding.ts'
import type { Finding, Path } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'
import type { World } from './world.ts'

/** Where a resource names a subset. */
interface Mention {
  resource: string
  path: Path
  subset: string
}

const ranges = ['frameSchema', 'dbSchema'] as const

/** The version of a subset, by a DestinationRule or, without one, by its name; undefined when the rule lacks it. */
export function versionOf(resources: readonly Resource[], subset: string): string | undefined {
  const subsets = ofKind(resources, 'DestinationRule').flatMap(({ spec }) => spec.subsets)
  if (subsets.length === 0) return subset
  return subsets.find(({ name }) => name === subset)?.labels.version
}

/** Subsets that are named are there, have workers, and go together. */
export function checkSubsets(resources: readonly Resource[], { versions }: Pick<World, 'versions'>): Finding[] {
  const findings: Finding[] = []
  for (const rule of ofKind(resources, 'DestinationRule'))
    findings.push(...checkRule(resourceId(rule), rule.spec.subsets))
  for (const { resource, path, subset } of mentions(resources)) {
    const version = versionOf(resources, subset)
    if (version === undefined) {
      const known = ofKind(resources, 'DestinationRule').flatMap(({ spec }) => spec.subsets.map(({ name }) => name))
      findings.push(finding('HFT0104', resource, path, `no subset ${subset}, only ${known.join(', ')}`))
    } else if (versions && !versions.has(version))
      findings.push(
        finding(
          'HFT0101',
          resource,
          path,
          `no worker of version ${version} lives: slots stay where they are until one does`,
        ),
      )
  }
  return [...findings, ...checkTogether(resources)]
}

function checkRule(resource: string, subsets: readonly Subset[]): Finding[] {
  const findings: Finding[] = []
  for (const [index, { name, compat = {} }] of subsets.entries()) {
    const path = ['spec', 'subsets', index]
    if (subsets.findIndex((other) => other.name === name) < index)
      findings.push(finding('HFT0008', resource, [...path, 'name'], `the subset ${name} stands there twice`))
    for (const range of ranges) {
      const { min = 0, max = Infinity } = compat[range] ?? {}
      if (min > max)
        findings.push(finding('HFT0103', resource, [...path, 'compat', range], `min ${min} is above max ${max}`))
    }
  }
  return findings
}

/** Subsets that share slots, in a route or a rollout, must have versions in common. */
function checkTogether(resources: readonly Resource[]): Finding[] {
  const subsets = new Map(
    ofKind(resources, 'DestinationRule').flatMap(({ spec }) => spec.subsets.map((each) => [each.name, each] as const)),
  )
  const sets = [
    ...ofKind(resources, 'VirtualService').flatMap((each) =>
      each.spec.ws.map(({ route }, index) => ({
        resource: resourceId(each),
        path: ['spec', 'ws', index, 'route'],
        names: route.map(({ destination }) => destination.subset),
      })),
    ),
    ...ofKind(resources, 'Rollout').map((each) => {
      const { stableService, canaryService } = each.spec.strategy.canary
      const names = stableService === undefined ? [canaryService] : [stableService, canaryService]
      return { resource: resourceId(each), path: ['spec', 'strategy', 'canary'], names }
    }),
  ]
  return sets.flatMap(({ resource, path, names }) =>
    ranges.flatMap((range) => {
      const compats = names.flatMap((name) => subsets.get(name)?.compat?.[range] ?? [])
      const min = Math.max(...compats.map((each) => each.min))
      const max = Math.min(...compats.map((each) => each.max ?? Infinity))
      // An empty range is said of its subset.
      if (min <= max || compats.some((each) => each.min > (each.max ?? Infinity))) return []
      return [finding('HFT0103', resource, path, `${names.join(' and ')} have no ${range} in common`)]
    }),
  )
}

function mentions(resources: readonly Resource[]): Mention[] {
  return [
    ...ofKind(resources, 'VirtualService').flatMap((each) =>
      each.spec.ws.flatMap(({ route }, at) =>
        route.map(({ destination }, index) => ({
          resource: resourceId(each),
          path: ['spec', 'ws', at, 'route', index, 'destination', 'subset'],
          subset: destination.subset,
        })),
      ),
    ),
    ...ofKind(resources, 'Rollout').flatMap((each) => {
      const { canary } = each.spec.strategy
      return (['stableService', 'canaryService'] as const).flatMap((member) => {
        const subset = canary[member]
        return subset === undefined
          ? []
          : [{ resource: resourceId(each), path: ['spec', 'strategy', 'canary', member], subset }]
      })
    }),
  ]
}
