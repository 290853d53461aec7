import { faultProblem } from './fault-stages.ts'
import { finding } from './finding.ts'
import type { Finding, Path, RuleCode } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'
import type { RouteFault } from './virtual-service.ts'
import type { World } from './world.ts'

/** Faults of routes do something where they are, and end. */
export function checkFaults(resources: readonly Resource[], { faults }: Pick<World, 'faults'>): Finding[] {
  return ofKind(resources, 'VirtualService').flatMap((each) =>
    each.spec.ws.flatMap(({ fault }, index) =>
      fault === undefined ? [] : checkFault(resourceId(each), ['spec', 'ws', index, 'fault'], fault, faults),
    ),
  )
}

function checkFault(resource: string, path: Path, fault: RouteFault, faults: World['faults']): Finding[] {
  const { abort, delay, kill, expiresAfter } = fault
  const findings: Finding[] = []
  const say = (code: RuleCode, at: Path, message: string) =>
    findings.push(finding(code, resource, [...path, ...at], message))
  const problem = faultProblem(fault)
  if (problem !== null) say('HFT0201', [], problem)
  else if ([delay, abort, kill].every((part) => (part?.percentage.value ?? 0) === 0))
    say('HFT0201', [], 'no percentage is above 0: without one nothing is struck, as in Istio')
  if (faults?.areOn === false) say('HFT0203', [], 'this cluster was started without them')
  else if (faults?.mustExpire && expiresAfter === undefined)
    say('HFT0202', ['expiresAfter'], 'say when it ends, such as 15m')
  return findings
}
