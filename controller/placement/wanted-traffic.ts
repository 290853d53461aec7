import { parseDuration } from '../../config/duration.ts'
import type { FormatRange } from '../../protocol/records/formats.ts'
import { versionOf } from '../resources/check-subsets.ts'
import type { DestinationRuleSpec } from '../resources/destination-rule.ts'
import { routedGroups } from '../resources/groups.ts'
import type { GroupInfo } from '../resources/groups.ts'
import { ofKind } from '../resources/resource.ts'
import type { Resource } from '../resources/resource.ts'
import type { OutlierPolicy } from './outliers.ts'
import type { GroupTraffic, Share } from './traffic.ts'

/** How slots go from one worker to another. Null: as configured, or without that. */
export interface HandoffPolicy {
  /** Hand-offs at a time. */
  maxParallel: number | null
  /** Records that a successor may be behind when the owner stops, and for how long it is waited for. */
  warmup: { lagMax: number; timeoutMs: number } | null
  /** After so long an owner that does not let go is fenced. */
  drainMs: number | null
  /** A slot that stood still for longer makes hand-offs slower. */
  maxPauseMs: number | null
}

/** What a version works with, as its DestinationRule says. */
export interface Compat {
  records: FormatRange
  tables: FormatRange
}

/** All that placement is told by operators. */
export interface Traffic {
  /** Groups that are shared among versions; any other one belongs to the version that serves. */
  groups: GroupTraffic[]
  weightBy: 'slots' | 'traffic'
  handoff: HandoffPolicy
  /** Null: no worker is ejected. */
  outliers: OutlierPolicy | null
  /** By version; those that nothing is said of are not there. */
  compat: ReadonlyMap<string, Compat>
}

/** Group and shares as rollouts have them: they go before any route. */
export interface RolledOut {
  group: string
  shares: readonly Share[]
}

/** What placement is told where nothing is applied. */
export const noTraffic: Traffic = {
  groups: [],
  weightBy: 'slots',
  handoff: { maxParallel: null, warmup: null, drainMs: null, maxPauseMs: null },
  outliers: null,
  compat: new Map(),
}

/**
 * What the resources say of placing slots. A group that a rollout has is shared as that says, any other as its route in
 * the VirtualService says; one without either is not among the groups. Pure.
 */
export function wantedTraffic(
  resources: readonly Resource[],
  rolledOut: readonly RolledOut[],
  groups: readonly GroupInfo[],
): Traffic {
  const rule = ofKind(resources, 'DestinationRule')[0]?.spec
  const weightBy = rule?.trafficPolicy.weightBy ?? 'slots'
  const routed = routesOf(resources, groups)
  const shared = groups.flatMap(({ name }): GroupTraffic[] => {
    const shares = rolledOut.find(({ group }) => group === name)?.shares ?? routed.get(name)
    return shares === undefined || shares.every(({ weight }) => weight === 0) ? [] : [{ group: name, shares, weightBy }]
  })
  if (rule === undefined) return { ...noTraffic, groups: shared }
  return { groups: shared, weightBy, handoff: handoffOf(rule), outliers: outliersOf(rule), compat: compatOf(rule) }
}

function routesOf(resources: readonly Resource[], groups: readonly GroupInfo[]): Map<string, Share[]> {
  const spec = ofKind(resources, 'VirtualService')[0]?.spec
  if (spec === undefined) return new Map()
  const byRoute = routedGroups(spec, groups)
  return new Map(
    spec.ws.flatMap(({ route }, index) => {
      // Two subsets may be the same version, and none is a subset that the rule has lost.
      const weights = new Map<string, number>()
      for (const { destination, weight } of route) {
        const version = versionOf(resources, destination.subset)
        if (version !== undefined) weights.set(version, (weights.get(version) ?? 0) + weight)
      }
      const shares = [...weights].map(([version, weight]) => ({ version, weight }))
      return byRoute[index]!.map(({ name }) => [name, shares] as const)
    }),
  )
}

function handoffOf({ trafficPolicy: { slotHandoff } }: DestinationRuleSpec): HandoffPolicy {
  const { maxParallel, warmup, drainTimeout, maxPause } = slotHandoff
  return {
    maxParallel: maxParallel ?? null,
    warmup: { lagMax: warmup.maxLagMessages, timeoutMs: msOf(warmup.timeout) },
    drainMs: msOf(drainTimeout),
    maxPauseMs: msOf(maxPause),
  }
}

function outliersOf({ trafficPolicy: { outlierDetection: policy } }: DestinationRuleSpec): OutlierPolicy | null {
  if (policy === undefined) return null
  return {
    errorsMax: policy.consecutive5xxErrors,
    stallsMax: policy.consecutiveGatewayErrors,
    intervalMs: msOf(policy.interval),
    ejectionMs: msOf(policy.baseEjectionTime),
    ejectedPercentMax: policy.maxEjectionPercent,
    healthyPercentMin: policy.minHealthPercent,
  }
}

/** Resources are checked before they are kept. */
function msOf(duration: string): number {
  return parseDuration(duration)!
}

function compatOf({ subsets }: DestinationRuleSpec): Map<string, Compat> {
  const any = { min: 0, max: Infinity }
  const rangeOf = (range: { min: number; max?: number } | undefined): FormatRange => ({ ...any, ...range })
  return new Map(
    subsets.flatMap(({ labels, compat }) =>
      compat === undefined
        ? []
        : [[labels.version, { records: rangeOf(compat.frameSchema), tables: rangeOf(compat.dbSchema) }] as const],
    ),
  )
}
