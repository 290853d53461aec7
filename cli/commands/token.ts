import { SignJWT } from 'jose'
import type { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/errors.ts'
import { ownClaims } from '../../config/own-claims.ts'
import { findSecret, secretPath } from '../../config/secrets.ts'

/** Prints a connection token for `user` that is valid for `lifetimeMs` and is for this configuration; nothing else. */
export async function token(config: Config, user: string, lifetimeMs: number): Promise<void> {
  const secret = findSecret(config, 'clientSecret')
  if (!secret) {
    const advice = `set HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY, or start "holdfast dev", which keeps one in ${secretPath(config, 'clientSecret')}`
    throw new ConfigError(`client.token.hmac_secret_key: there is no secret to sign with: ${advice}`)
  }
  const now = Math.floor(Date.now() / 1_000)
  const jwt = await new SignJWT(ownClaims(user, config.client.token))
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(now)
    .setExpirationTime(now + Math.ceil(lifetimeMs / 1_000))
    .sign(new TextEncoder().encode(secret))
  process.stdout.write(`${jwt}\n`)
}
