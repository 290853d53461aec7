import type { Dispatcher } from 'undici'
import type { Env } from '../../cluster/env.ts'
import { askPrometheus } from '../analysis/prometheus.ts'
import type { PrometheusAnswer } from '../analysis/prometheus.ts'
import { finding } from './finding.ts'
import type { Finding } from './finding.ts'
import type { Query } from './queries.ts'

/** What trying queries may cost whoever applies them: how many, at a time, and ms for all of them. */
export const triedBounds = { queries: 64, parallel: 8, totalMs: 3_000 }

/**
 * What a Prometheus says of queries right now. One that it refuses is an error; one that cannot be asked is none, so that
 * resources can be applied while Prometheus is away. Never rejects.
 */
export async function askQueries(
  env: Pick<Env, 'clock' | 'metrics'>,
  queries: readonly Query[],
  dispatcher?: Dispatcher,
): Promise<Finding[]> {
  const end = env.clock.monotonic() + triedBounds.totalMs
  const tried = queries.slice(0, triedBounds.queries)
  const answers = new Map<Query, PrometheusAnswer>()
  // All lanes take from one list.
  const waiting = tried.values()
  const lane = async (): Promise<void> => {
    for (const query of waiting) {
      const leftMs = end - env.clock.monotonic()
      const timeout = Math.min(leftMs / 1_000, query.question.timeout ?? Infinity)
      if (leftMs > 0) answers.set(query, await askPrometheus(env, { ...query.question, timeout }, dispatcher))
    }
  }
  await Promise.all(Array.from({ length: triedBounds.parallel }, lane))
  const untried = queries.length - tried.length
  return [
    ...tried.flatMap((query) => findingsOf(query, answers.get(query) ?? tooLate)),
    ...queries
      .slice(triedBounds.queries, triedBounds.queries + 1)
      .map(({ resource, path }) =>
        finding('HFT0306', resource, path, `${untried} queries are not tried: ${triedBounds.queries} at a time are`),
      ),
  ]
}

const tooLate: PrometheusAnswer = { problem: 'those before it took all of the time', isWrong: false }

function findingsOf({ resource, path, metric, isWhole }: Query, answer: PrometheusAnswer): Finding[] {
  if ('problem' in answer)
    return [finding(answer.isWrong ? 'HFT0305' : 'HFT0306', resource, path, `${metric}: ${answer.problem}`)]
  const isEmpty = Array.isArray(answer.result) && answer.result.length === 0
  return isWhole && isEmpty ? [finding('HFT0307', resource, path, `${metric}: it finds no series right now`)] : []
}
