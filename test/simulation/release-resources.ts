/** Rollouts, and what they are judged by, as people write them. */
import { outlierRule } from './ejections.ts'
import { grouped } from './parameters.ts'
import type { Judged, ReleaseParameters } from './parameters.ts'
import type { Seeded } from './seeded.ts'

/** Versions that are rolled out; the first of them serves at the beginning. */
export const releasedVersions = ['v1', 'v2', 'v3'] as const

/** The one rollout of a run. */
export const rolloutName = 'chat'

const head = { apiVersion: 'holdfast.dev/v1' }
const interval = '200ms'

const service = 'chat'
const route = 'own'

/** What a run's rollout needs beside it. */
export function groundOf(releases: ReleaseParameters): object[] {
  const own = {
    name: route,
    match: [{ namespace: { exact: grouped } }],
    route: [{ destination: { subset: releasedVersions[0] }, weight: 100 }],
  }
  return [
    ...templatesOf(releases),
    ...(releases.hasOutliers ? [outlierRule(releasedVersions)] : []),
    ...(releases.hasRoute
      ? [{ ...head, kind: 'VirtualService', metadata: { name: service }, spec: { ws: [own] } }]
      : []),
  ]
}

function templatesOf({ minCommands, inconclusiveMax }: ReleaseParameters): object[] {
  const metric = (judge: string, more: object) => ({
    name: judge,
    interval,
    inconclusiveLimit: inconclusiveMax,
    ...more,
    provider: { counters: { judge, minCommands } },
  })
  const template = (name: string, more: object) => ({
    ...head,
    kind: 'AnalysisTemplate',
    metadata: { name },
    spec: { metrics: ['errors', 'violations'].map((judge) => metric(judge, more)) },
  })
  return [template('beside', {}), template('step', { count: 2 })]
}

/** A rollout to a version; all but who judges it and what it moves is drawn. */
export function drawRollout(random: Seeded, version: string, { judged, hasRoute }: ReleaseParameters): object {
  return {
    ...head,
    kind: 'Rollout',
    metadata: { name: rolloutName },
    spec: {
      progressDeadlineSeconds: random.pick([1, 3, 6]),
      progressDeadlineAbort: random.chance(0.8),
      paused: random.chance(0.1),
      ...(random.chance(0.2) && { rollbackWindow: { revisions: 1 } }),
      strategy: {
        canary: {
          canaryService: version,
          ...(random.chance(0.1) && { stableService: random.pick(releasedVersions) }),
          ...(hasRoute && { trafficRouting: { istio: { virtualService: { name: service, routes: [route] } } } }),
          scaleDownDelaySeconds: random.pick([0, 2]),
          abortScaleDownDelaySeconds: random.pick([0, 2]),
          ...analysisOf(judged),
          steps: Array.from({ length: random.pick([0, 1, 2, 3, 4]) }, () => drawStep(random, judged)),
        },
      },
    },
  }
}

function analysisOf(judged: Judged): object {
  if (judged === 'built-in') return {}
  return { analysis: { templates: judged === 'nobody' ? [] : [{ templateName: 'beside' }] } }
}

function drawStep(random: Seeded, judged: Judged): object {
  const drawn = random.float()
  if (drawn < 0.6) return { setWeight: random.pick([10, 20, 50, 75, 100]) }
  if (drawn < 0.85) return { pause: { duration: random.pick(['100ms', '600ms']) } }
  if (drawn < 0.9 || judged !== 'templates') return { pause: {} }
  return { analysis: { templates: [{ templateName: 'step' }] } }
}
