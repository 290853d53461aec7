import type { Env } from '../../cluster/env.ts'
import { slotsOf } from './cluster-view.ts'
import type { ClusterView } from './cluster-view.ts'
import type { RolloutState } from './state.ts'

/** Shows where rollouts are, and the weights that they want and have. */
export function showRollouts(metrics: Env['metrics'], states: readonly RolloutState[], view: ClusterView): void {
  metrics.rolloutInfo.reset()
  metrics.rolloutWeight.reset()
  for (const { name, phase, stable, canary, weight, step, groups } of states) {
    metrics.rolloutInfo.set({ name, phase, strategy: 'canary', step: String(step) }, 1)
    metrics.rolloutStep.set({ name }, step)
    const { byVersion, total } = slotsOf(view, groups)
    for (const [version, desired] of [[stable, 100 - weight] as const, [canary, weight] as const]) {
      const actual = total === 0 ? 0 : (100 * (byVersion.get(version) ?? 0)) / total
      metrics.rolloutWeight.set({ name, version, kind: 'desired' }, desired)
      metrics.rolloutWeight.set({ name, version, kind: 'actual' }, actual)
    }
  }
}

/** Counts how long a rollout took that has ended. */
export function observeEnd(metrics: Env['metrics'], { mode, startedAt, endedAt, pausedMs }: RolloutState): void {
  const status = mode === 'aborted' ? 'aborted' : 'completed'
  const tookMs = endedAt! - startedAt
  metrics.rolloutDuration.observe({ status }, tookMs / 1_000)
  metrics.rolloutProgression.observe({ status }, Math.max(0, tookMs - pausedMs) / 1_000)
  metrics.rolloutManualPause.observe({ status }, pausedMs / 1_000)
}
