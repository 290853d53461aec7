import { parseSlot } from '../../protocol/slot.ts'
import type { Document, Store } from '../../store/store.ts'
import type { AnalysisTemplateSpec } from '../analysis/template.ts'
import type { Patch } from './commands.ts'
import { milliseconds, specOf } from './resource.ts'
import type { Duration, RolloutPart } from './resource.ts'
import { routeGroups } from './route-groups.ts'
import type { GroupPart, RoutePart } from './route-groups.ts'
import type { RolloutSpec } from './spec.ts'

/** A Rollout that is applied. */
export interface AppliedRollout {
  document: Document
  spec: RolloutSpec
}

/** What a rollout reads of resources beside its own. */
export interface Rule {
  subsets?: { name: string; labels?: { version?: string } }[]
  trafficPolicy?: { slotHandoff?: { maxPause?: Duration } }
}

/** Of a DestinationRule that has hand-offs and does not say it. */
export const defaultMaxPause = '250ms'

/** What is applied, as far as rollouts are concerned. */
export class Applied {
  readonly rollouts = new Map<string, AppliedRollout>()
  readonly templates = new Map<string, AnalysisTemplateSpec>()
  /** Names of Rollouts that are there and cannot be understood, with the reason. */
  readonly broken = new Map<string, string>()
  /** Ms that a slot may stand still while it is handed over; null: as long as it takes. */
  maxPauseMs: number | null = null
  readonly #subsets = new Map<string, string>()
  readonly #routes = new Map<string, RoutePart[]>()
  #groups: GroupPart[] = []

  /** Reads it from the store. */
  static async read(store: Store): Promise<Applied> {
    const [rollouts, rules, templates, services, leases, namespaces] = await Promise.all([
      store.documents('Rollout'),
      store.documents('DestinationRule'),
      store.documents('AnalysisTemplate'),
      store.documents('VirtualService'),
      store.leases(),
      store.namespaces(),
    ])
    const applied = new Applied()
    for (const rule of rules) applied.#add(resourceSpec(rule) as Rule)
    for (const each of services) applied.#routes.set(each.name, (resourceSpec(each) as { ws?: RoutePart[] }).ws ?? [])
    applied.#groups = [...new Set(leases.map(({ slot }) => parseSlot(slot).group))].map((name) => ({
      name,
      namespaces: namespaces.filter(({ group }) => group === name).map(({ namespace }) => namespace),
    }))
    for (const each of templates) applied.templates.set(each.name, resourceSpec(each) as AnalysisTemplateSpec)
    for (const document of rollouts) {
      try {
        const spec = applied.#specOf(document.name, document.body)
        applied.rollouts.set(document.name, { document, spec })
      } catch (error) {
        applied.broken.set(document.name, (error as Error).message)
      }
    }
    return applied
  }

  #add({ subsets = [], trafficPolicy }: Rule): void {
    for (const { name, labels } of subsets) this.#subsets.set(name, labels?.version ?? name)
    if (trafficPolicy?.slotHandoff)
      this.maxPauseMs = milliseconds(trafficPolicy.slotHandoff.maxPause ?? defaultMaxPause)
  }

  /** The version of a subset: that which a DestinationRule says, or its name. */
  versionOf(subset: string): string {
    return this.#subsets.get(subset) ?? subset
  }

  /** A Rollout after a command has changed what it asks for. */
  patched({ document }: AppliedRollout, patch: Patch): { body: string; spec: RolloutSpec } {
    const resource = JSON.parse(document.body) as { spec: RolloutPart }
    const { canary } = resource.spec.strategy
    if (patch.canary !== undefined) canary.canaryService = this.#subsetOf(patch.canary)
    if (patch.stable !== undefined) canary.stableService = this.#subsetOf(patch.stable)
    if (patch.paused !== undefined) resource.spec.paused = patch.paused
    const body = JSON.stringify(resource)
    return { body, spec: this.#specOf(document.name, body) }
  }

  #specOf(name: string, body: string): RolloutSpec {
    const { spec } = JSON.parse(body) as { spec: RolloutPart }
    return specOf(name, spec, {
      versionOf: (subset) => this.versionOf(subset),
      groupsOf: (service, routes) => this.#groupsOf(service, routes),
    })
  }

  #groupsOf(service: string, names: readonly string[]): string[] {
    const routes = this.#routes.get(service)
    if (routes === undefined) throw new Error(`there is no VirtualService ${service}`)
    return routeGroups(routes, names, this.#groups)
  }

  /** A name that leads to the version: that of a subset, or its own. */
  #subsetOf(version: string): string {
    return [...this.#subsets].find(([, each]) => each === version)?.[0] ?? version
  }
}

function resourceSpec({ body }: Document): unknown {
  return (JSON.parse(body) as { spec: unknown }).spec
}
