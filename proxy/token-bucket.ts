/** A bucket fills with `rate` tokens a second up to `burst`; taking one from an empty bucket fails. */
export function takeToken(bucket: { tokens: number; at: number }, nowMs: number, rate: number, burst: number): boolean {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.at) / 1000) * rate)
  bucket.at = nowMs
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}
