/**
 * The bucket of the token-bucket algorithm: what may still be spent at once. Its rate and size stand elsewhere, once
 * for all buckets of a kind.
 */
export interface Bucket {
  tokens: number
  /** When they were counted, monotonic ms. */
  at: number
}

/** Counts the tokens anew: a bucket fills with `rate` tokens a second up to `burst`. */
export function refill(bucket: Bucket, nowMs: number, rate: number, burst: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.at) / 1000) * rate)
  bucket.at = nowMs
}

/** Taking a token from an empty bucket fails. */
export function takeToken(bucket: Bucket, nowMs: number, rate: number, burst: number): boolean {
  refill(bucket, nowMs, rate, burst)
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}
