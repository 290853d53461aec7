import { checkAnalyses } from './check-analyses.ts'
import { checkFaults } from './check-faults.ts'
import { checkRollouts } from './check-rollouts.ts'
import { checkRoutes } from './check-routes.ts'
import { checkSubsets } from './check-subsets.ts'
import { finding } from './finding.ts'
import type { Finding } from './finding.ts'
import { ofKind, resourceId } from './resource.ts'
import type { Resource, ResourceKind } from './resource.ts'
import type { World } from './world.ts'

/** Kinds of which a cluster has one: they are all about the same workers. */
const singles: readonly ResourceKind[] = ['VirtualService', 'DestinationRule']

/** What is wrong with resources that are to hold together. Each is right by itself. */
export function checkTogether(resources: readonly Resource[], world: World): Finding[] {
  return [
    ...singles.flatMap((kind) =>
      ofKind(resources, kind)
        .slice(1)
        .map((each) =>
          finding('HFT0109', resourceId(each), [], `there is ${ofKind(resources, kind)[0]!.metadata.name}`),
        ),
    ),
    ...checkSubsets(resources, world),
    ...checkRoutes(resources, world),
    ...checkFaults(resources, world),
    ...checkRollouts(resources),
    ...checkAnalyses(resources),
  ]
}
