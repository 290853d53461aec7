/** What clients of a test's cluster show: one secret, and tokens as an application would issue them. */
import { SignJWT } from 'jose'
import type { JWTPayload } from 'jose'

/** Signs the tokens of every test cluster. */
export const secret = 'a secret of these tests, 32 bytes'

export interface TokenOptions {
  /** Seconds from now, rounded up by what signs it; null for a token without an end. */
  expiresIn?: number | null
  claims?: JWTPayload
  key?: string
  alg?: string
}

/** A connection token for `user`. */
export function tokenFor(user: string, options: TokenOptions = {}): Promise<string> {
  const { expiresIn = null, claims = {}, key = secret, alg = 'HS256' } = options
  const jwt = new SignJWT(claims).setProtectedHeader({ alg }).setSubject(user)
  if (expiresIn !== null) jwt.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
  return jwt.sign(new TextEncoder().encode(key))
}
