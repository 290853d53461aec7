import type { AnalysisTemplateSpec } from '../analysis/template.ts'
import { versionOf } from '../resources/check-subsets.ts'
import type { KnownResources } from '../resources/current.ts'
import { findingText } from '../resources/finding.ts'
import { routedGroups } from '../resources/groups.ts'
import type { GroupInfo } from '../resources/groups.ts'
import type { KeptResource } from '../resources/kept.ts'
import { checkResource } from '../resources/parse.ts'
import { ofKind } from '../resources/resource.ts'
import type { RolloutResourceSpec } from '../resources/rollout.ts'
import type { Patch } from './commands.ts'
import { specOf } from './resource.ts'
import type { RolloutSpec } from './spec.ts'

/** A Rollout that is applied. */
export interface AppliedRollout {
  kept: KeptResource
  spec: RolloutSpec
}

/** What is applied, as far as rollouts are concerned. */
export class Applied {
  readonly rollouts = new Map<string, AppliedRollout>()
  readonly templates: ReadonlyMap<string, AnalysisTemplateSpec>
  /** Names of Rollouts that are there and cannot be understood, with the reason. */
  readonly broken = new Map<string, string>()
  readonly #known: KnownResources
  readonly #groups: readonly GroupInfo[]

  constructor(known: KnownResources, groups: readonly GroupInfo[]) {
    this.#known = known
    this.#groups = groups
    const templates = ofKind(known.understood, 'AnalysisTemplate')
    this.templates = new Map(templates.map(({ metadata, spec }) => [metadata.name, spec]))
    for (const kept of known.kept) {
      if (kept.kind !== 'Rollout') continue
      try {
        this.rollouts.set(kept.name, { kept, spec: this.#specOf(kept.name, rolloutOf(kept.written)) })
      } catch (error) {
        this.broken.set(kept.name, (error as Error).message)
      }
    }
  }

  /** The version of a subset: that which a DestinationRule says, or its name. */
  versionOf(subset: string): string {
    return versionOf(this.#known.understood, subset) ?? subset
  }

  /** A Rollout after a command has changed what it asks for. */
  patched({ kept }: AppliedRollout, patch: Patch): { body: string; spec: RolloutSpec } {
    const written = structuredClone(kept.written) as { spec: RolloutResourceSpec }
    const { canary } = written.spec.strategy
    if (patch.canary !== undefined) canary.canaryService = this.#subsetOf(patch.canary)
    if (patch.stable !== undefined) canary.stableService = this.#subsetOf(patch.stable)
    if (patch.paused !== undefined) written.spec.paused = patch.paused
    return { body: JSON.stringify(written), spec: this.#specOf(kept.name, rolloutOf(written)) }
  }

  #specOf(name: string, spec: RolloutResourceSpec): RolloutSpec {
    return specOf(name, spec, {
      versionOf: (subset) => this.versionOf(subset),
      groupsOf: (service, routes) => this.#groupsOf(service, routes),
    })
  }

  #groupsOf(name: string, routes: readonly string[]): string[] {
    const service = ofKind(this.#known.understood, 'VirtualService').find(({ metadata }) => metadata.name === name)
    if (service === undefined) throw new Error(`there is no VirtualService ${name}`)
    const groups = routedGroups(service.spec, this.#groups)
    const isNamed = (route: string | undefined) =>
      routes.length === 0 || (route !== undefined && routes.includes(route))
    return service.spec.ws.flatMap((route, index) =>
      isNamed(route.name) ? groups[index]!.map((each) => each.name) : [],
    )
  }

  /** A name that leads to the version: that of a subset, or its own. */
  #subsetOf(version: string): string {
    const subsets = ofKind(this.#known.understood, 'DestinationRule').flatMap(({ spec }) => spec.subsets)
    return subsets.find(({ labels }) => labels.version === version)?.name ?? version
  }
}

/** With defaults. Throws what is wrong with it. */
function rolloutOf(written: unknown): RolloutResourceSpec {
  const { parsed, findings } = checkResource(written)
  if (parsed?.resource.kind !== 'Rollout') throw new Error(findings.map(findingText).join('; '))
  return parsed.resource.spec
}
