import type { AnalysisTemplateSpec, Judgement } from './template.ts'

/** How long a canary may warm up before its times are compared. */
const warmUp = '5s'

const interval = '2s'

/**
 * `delivery`, what a rollout is judged by when it says nothing else: the built-in counters, canary against stable version,
 * and rooms against their own past. An AnalysisTemplate of that name takes its place.
 */
export const delivery: AnalysisTemplateSpec = {
  metrics: [
    counted('violations'),
    counted('crashes'),
    counted('errors'),
    counted('refusals'),
    counted('effects'),
    { ...counted('latency'), initialDelay: warmUp },
    { name: 'rooms', interval, provider: { rooms: {} } },
  ],
}

function counted(judge: Judgement): AnalysisTemplateSpec['metrics'][number] {
  return { name: judge, interval, provider: { counters: { judge } } }
}
