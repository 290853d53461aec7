import { errors as joseErrors, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import { userBytesMax } from '../protocol/sizes.ts'

/** What a connection token says (claims as Centrifugo's). */
export interface Identity {
  user: string
  /** JSON of the claim `info`, or null. */
  connInfo: string | null
  /** ms since 1970, 0 for never. */
  expiresAt: number
}

export type Verdict = { identity: Identity } | { refused: 'invalid' | 'expired' }

/** A longer id no store holds, and half a surrogate pair has no UTF-8. */
function isUser(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.isWellFormed() && Buffer.byteLength(sub) <= userBytesMax
}

/** Verifies HS256 connection tokens. */
export class TokenVerifier {
  readonly #key: Uint8Array
  /** In insecure mode a token is still verified, but its expiry is not looked at. */
  readonly #ignoreExpiry: boolean

  constructor(secret: string, ignoreExpiry: boolean) {
    this.#key = new TextEncoder().encode(secret)
    this.#ignoreExpiry = ignoreExpiry
  }

  async verify(token: string, nowMs: number): Promise<Verdict> {
    if (this.#key.length === 0) return { refused: 'invalid' }
    try {
      const payload = await this.#payload(token, nowMs)
      if (payload.sub !== undefined && !isUser(payload.sub)) return { refused: 'invalid' }
      return {
        identity: {
          user: payload.sub ?? '',
          connInfo: payload['info'] === undefined ? null : JSON.stringify(payload['info']),
          expiresAt: payload.exp === undefined || this.#ignoreExpiry ? 0 : payload.exp * 1000,
        },
      }
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired) return { refused: 'expired' }
      if (error instanceof joseErrors.JOSEError) return { refused: 'invalid' }
      throw error
    }
  }
  /** Rejects as jwtVerify does. */
  async #payload(token: string, nowMs: number): Promise<JWTPayload> {
    try {
      const options = { algorithms: ['HS256'], currentDate: new Date(nowMs) }
      return (await jwtVerify(token, this.#key, options)).payload
    } catch (error) {
      // By then the signature has been found good, and its expiry is all that is wrong with the token.
      if (this.#ignoreExpiry && error instanceof joseErrors.JWTExpired) return error.payload
      throw error
    }
  }
}
