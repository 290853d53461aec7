import type { JWTPayload } from 'jose'

/** What the demonstration page of an app is given by the proxy that serves it. */
export interface PageOptions {
  /** The HMAC secret that the proxy verifies connection tokens with. */
  secret: string
  /** What its tokens say of whoever signs in; `sub` alone unless it is set. */
  claims?: (user: string) => JWTPayload
  /** Said aloud by the caller, because whoever reaches a page may call themselves anything. */
  dev: true
}
