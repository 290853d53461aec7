import { finding } from './finding.ts'
import type { Finding, Path } from './finding.ts'
import { coverageOf, routedGroups } from './groups.ts'
import type { GroupInfo } from './groups.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'
import type { VirtualServiceSpec, WsRoute } from './virtual-service.ts'
import type { World } from './world.ts'

/** Routes match whole groups, are reached, and their weights can be had. */
export function checkRoutes(resources: readonly Resource[], { groups }: Pick<World, 'groups'>): Finding[] {
  return ofKind(resources, 'VirtualService').flatMap((each) => [
    ...checkWrittenRoutes(resourceId(each), each.spec),
    ...(groups ? checkGroups(resourceId(each), each.spec, groups) : []),
  ])
}

function checkWrittenRoutes(resource: string, { ws }: VirtualServiceSpec): Finding[] {
  const findings: Finding[] = []
  const everywhere = ws.findIndex(({ match }) => match.length === 0)
  for (const [index, { name, route }] of ws.entries()) {
    const path = ['spec', 'ws', index]
    if (name !== undefined && ws.findIndex((other) => other.name === name) < index)
      findings.push(finding('HFT0008', resource, [...path, 'name'], `the route ${name} stands there twice`))
    if (route.every(({ weight }) => weight === 0))
      findings.push(finding('HFT0105', resource, [...path, 'route'], 'give one of them a weight above 0'))
    if (everywhere !== -1 && index > everywhere)
      findings.push(finding('HFT0106', resource, path, `ws[${everywhere}] matches everything before it`))
    for (const [at, { destination }] of route.entries()) {
      const isTwice = route.findIndex((other) => other.destination.subset === destination.subset) < at
      if (isTwice)
        findings.push(
          finding('HFT0008', resource, [...path, 'route', at], `the subset ${destination.subset} stands there twice`),
        )
    }
  }
  return findings
}

function checkGroups(resource: string, spec: VirtualServiceSpec, groups: readonly GroupInfo[]): Finding[] {
  const owned = routedGroups(spec, groups)
  return spec.ws.flatMap((route, index) => {
    const path = ['spec', 'ws', index]
    const parts = groups.filter((group) => coverageOf(route, group) === 'part')
    if (parts.length > 0) return [finding('HFT0107', resource, [...path, 'match'], partly(parts))]
    if (route.match.length > 0 && groups.every((group) => coverageOf(route, group) === 'none'))
      return [finding('HFT0108', resource, [...path, 'match'], `no slot group fits; there are ${namesOf(groups)}`)]
    return owned[index]!.flatMap((group) => checkWeights(resource, path, route, group))
  })
}

/** Slots are whole: a share is had as near as they allow. */
function checkWeights(resource: string, path: Path, { route }: WsRoute, { name, slots }: GroupInfo): Finding[] {
  const sum = route.reduce((total, { weight }) => total + weight, 0)
  return route.flatMap(({ weight }, index) => {
    const wanted = (slots * weight) / sum
    if (sum === 0 || Number.isInteger(wanted)) return []
    const nearest = Math.round(wanted)
    const message = `${percent(weight / sum)} of the ${slots} slots of ${name} is ${nearest} of them at best, ${percent(nearest / slots)}`
    return [finding('HFT0102', resource, [...path, 'route', index, 'weight'], message)]
  })
}

function partly(groups: readonly GroupInfo[]): string {
  const [first] = groups
  return `it is for a part of the slot group ${first!.name} (${first!.namespaces.map((each) => each || 'no namespace').join(', ')}): give those namespaces a group of their own in topics.groups`
}

const namesOf = (groups: readonly GroupInfo[]): string => groups.map(({ name }) => name).join(', ')

const percent = (share: number): string => `${Math.round(share * 10_000) / 100} %`
