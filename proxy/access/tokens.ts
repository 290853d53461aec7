import { createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Config } from '../../config/config.ts'
import { compilePattern } from '../../config/pattern.ts'
import type { Pattern } from '../../config/pattern.ts'
import type { Clock } from '../../platform/clock.ts'
import { Claims } from './claims.ts'
import { ClaimError } from './errors.ts'
import type { ClaimName } from './errors.ts'
import { openJwt } from './jwt.ts'
import type { JwtFault } from './jwt.ts'

/** What a connection token says (claims as Centrifugo's). */
export interface Identity {
  user: string
  /** JSON of the claim `info`, as it is written there, or null. */
  connInfo: string | null
  /** ms since 1970, 0 for never. */
  expiresAt: number
}

/** What a subscription token says: who may subscribe to which channel, and until when. */
export interface Grant {
  user: string
  channel: string
  /** The one session that may; empty for any of the user's. */
  client: string
  /** ms since 1970, 0 for never. */
  expiresAt: number
}

/** Why a token is refused, in a word that shows nothing of it. */
export type TokenFault = JwtFault | 'no secret' | 'expired' | 'not yet valid' | `claim ${ClaimName}`

/** Why a token is not taken: `refused` is for its bearer, `fault` for the operator. */
export interface Refusal {
  /** `expired`: a newer token of the same kind will do. That it is not valid yet is the same to its bearer. */
  refused: 'invalid' | 'expired'
  fault: TokenFault
}

/** Of a connection token. */
export type Verdict = { identity: Identity } | Refusal

/** Of a subscription token. */
export type SubscriptionVerdict = { grant: Grant } | Refusal

type TokenRules = Pick<Config['client'], 'token' | 'insecure'>

/**
 * When a token that was taken just now ends, by monotonic time: no clock that is set makes it good for longer or shorter.
 * `expiresAt` is ms since 1970; 0 is never, for both.
 */
export function endsAt(clock: Clock, expiresAt: number): number {
  return expiresAt === 0 ? 0 : clock.monotonic() + expiresAt - clock.now()
}

/** Verifies connection and subscription tokens: JWTs that are signed with the configured secret. */
export class TokenVerifier {
  readonly #key: KeyObject | null
  readonly #rules: Config['client']['token']
  readonly #audience: Pattern | null
  readonly #issuer: Pattern | null
  /** In insecure mode a token is still verified, but its expiry is not looked at. */
  readonly #ignoreExpiry: boolean

  constructor({ token, insecure }: TokenRules) {
    this.#rules = token
    this.#key = token.hmac_secret_key === '' ? null : createSecretKey(token.hmac_secret_key, 'utf8')
    this.#audience = token.audience_regex === '' ? null : compilePattern(token.audience_regex)
    this.#issuer = token.issuer_regex === '' ? null : compilePattern(token.issuer_regex)
    this.#ignoreExpiry = insecure
  }

  /** Of a connection token. */
  verify(token: string, nowMs: number): Verdict {
    return this.#verdict(token, nowMs, (claims) => {
      // What a subscription token grants is no connection, and server-side subscriptions are not offered.
      claims.refuse('channel', 'channels', 'subs')
      const user = claims.user(this.#rules.user_id_claim)
      return { identity: { user, connInfo: claims.info, expiresAt: this.#end(claims) } }
    })
  }

  /** Of a subscription token. Whether it fits to the subscription is the caller's matter. */
  verifySubscription(token: string, nowMs: number): SubscriptionVerdict {
    return this.#verdict(token, nowMs, (claims) => {
      claims.refuse('info', 'b64info', 'data', 'b64data', 'override')
      const channel = claims.text('channel')
      if (channel === '') throw new ClaimError('channel')
      const user = claims.user(this.#rules.user_id_claim)
      return { grant: { user, channel, client: claims.text('client'), expiresAt: this.#end(claims) } }
    })
  }

  #verdict<T extends object>(token: string, nowMs: number, read: (claims: Claims) => T): T | Refusal {
    if (this.#key === null) return invalid('no secret')
    const opened = openJwt(token, this.#key)
    if ('fault' in opened) return invalid(opened.fault)
    const claims = Claims.parse(opened.claims)
    if (claims === null) return invalid('malformed')
    try {
      this.#checkOrigin(claims)
      const result = read(claims)
      const fault = this.#timeFault(claims, nowMs)
      return fault === null ? result : { refused: 'expired', fault }
    } catch (error) {
      if (error instanceof ClaimError) return invalid(`claim ${error.claim}`)
      throw error
    }
  }

  /** Throws ClaimError unless the token is for us and of whom we expect. */
  #checkOrigin(claims: Claims): void {
    const [audience, issuer] = [claims.audience, claims.text('iss')]
    const { audience: ours, issuer: expected } = this.#rules
    if (ours !== '' && !audience.includes(ours)) throw new ClaimError('aud')
    if (this.#audience && !audience.some((each) => this.#audience!.test(each))) throw new ClaimError('aud')
    if (expected !== '' && issuer !== expected) throw new ClaimError('iss')
    if (this.#issuer && !this.#issuer.test(issuer)) throw new ClaimError('iss')
  }

  /** The clocks of whoever signs and of this proxy may differ by the leeway. */
  #timeFault(claims: Claims, nowMs: number): 'expired' | 'not yet valid' | null {
    const { leeway } = this.#rules
    const [begin, issued, exp] = [claims.time('nbf'), claims.time('iat'), claims.time('exp')]
    if (Math.max(begin ?? -Infinity, issued ?? -Infinity) - leeway > nowMs) return 'not yet valid'
    if (this.#ignoreExpiry) return null
    const end = Math.min(exp ?? Infinity, this.#end(claims) || Infinity)
    return end + leeway <= nowMs ? 'expired' : null
  }

  /** When what the token gives ends: `expire_at`, where 0 stands for never, or else `exp`. */
  #end(claims: Claims): number {
    if (this.#ignoreExpiry) return 0
    const end = claims.time('expire_at')
    return end === undefined ? (claims.time('exp') ?? 0) : Math.max(0, end)
  }
}

function invalid(fault: TokenFault): Refusal {
  return { refused: 'invalid', fault }
}
