import { finding } from './finding.ts'
import type { Finding } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource } from './resource.ts'

const routingPath = ['spec', 'strategy', 'canary', 'trafficRouting', 'istio', 'virtualService']

/** Every rollout manages routes that are there and that no other one manages. */
export function checkRollouts(resources: readonly Resource[]): Finding[] {
  const managed = new Map<string, string>()
  return ofKind(resources, 'Rollout').flatMap((rollout) => {
    const resource = resourceId(rollout)
    const { stableService, canaryService } = rollout.spec.strategy.canary
    const findings: Finding[] = []
    if (stableService === canaryService)
      findings.push(
        finding('HFT0403', resource, ['spec', 'strategy', 'canary'], `${canaryService} is both: name another one`),
      )
    const routes = routesOf(rollout, resources)
    if (!Array.isArray(routes)) return [...findings, routes]
    for (const route of routes) {
      const other =
        managed.get(route) ?? managed.get(everything) ?? (route === everything ? [...managed.values()][0] : undefined)
      if (other !== undefined) {
        const what = route === everything ? 'all slots' : `the route ${route}`
        findings.push(finding('HFT0401', resource, routingPath, `${what} is managed by ${other}, in whole or in part`))
        break
      }
    }
    for (const route of routes) managed.set(route, resource)
    return findings
  })
}

/** Stands for a rollout that manages every slot. */
const everything = '*'

type RolloutResource = ReturnType<typeof ofKind<'Rollout'>>[number]

function routesOf(rollout: RolloutResource, resources: readonly Resource[]): string[] | Finding {
  const routing = rollout.spec.strategy.canary.trafficRouting?.istio.virtualService
  if (routing === undefined) return [everything]
  const service = ofKind(resources, 'VirtualService').find(({ metadata }) => metadata.name === routing.name)
  const refuse = (message: string) => finding('HFT0402', resourceId(rollout), routingPath, message)
  if (service === undefined) return refuse(`there is no VirtualService ${routing.name}`)
  const names = service.spec.ws.map(({ name }, index) => name ?? `[${index}]`)
  const missing = routing.routes.find((route) => !names.includes(route))
  if (missing !== undefined) return refuse(`${routing.name} has no route ${missing}, only ${names.join(', ')}`)
  return routing.routes.length === 0 ? names : routing.routes
}
