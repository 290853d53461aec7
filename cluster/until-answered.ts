import { LogError } from '../log/errors.ts'
import { StoreError } from '../store/errors.ts'
import type { Env } from './env.ts'

/** Pauses between two tries of a request to the store or the log. */
export const requestRetryMs = { first: 10, max: 500 }

/**
 * Makes a request until it is answered; null when `stopped` says so meanwhile. For requests that may be made twice.
 * Errors other than `unavailable` reject.
 */
export async function untilAnswered<T>(env: Env, request: () => Promise<T>, stopped: () => boolean): Promise<T | null> {
  let pauseMs = requestRetryMs.first
  while (!stopped()) {
    try {
      return await request()
    } catch (error) {
      const isTemporary = (error instanceof StoreError || error instanceof LogError) && error.code === 'unavailable'
      if (!isTemporary) throw error
      env.metrics.requestRetries.inc()
    }
    await env.clock.sleep(pauseMs)
    pauseMs = Math.min(pauseMs * 2, requestRetryMs.max)
  }
  return null
}
