import { createHmac, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** What makes a text no token of ours, before its claims are looked at. */
export type JwtFault = 'malformed' | 'algorithm' | 'signature'

/** The only algorithm that is taken: a token chooses neither another one nor the key. */
const [algorithm, digest] = ['HS256', 'sha256']

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The JSON text of the claims of a JWT (RFC 7519, compact form) that is signed with the key, or what is wrong with it. */
export function openJwt(token: string, key: KeyObject): { claims: string } | { fault: JwtFault } {
  const parts = token.split('.', 4)
  const [header, body, signature] = parts
  if (parts.length !== 3 || header === undefined || body === undefined || signature === undefined) return malformed
  const protectedHeader = objectOf(textOf(header))
  // RFC 7515, section 4.1.11: who does not understand an extension that is marked critical refuses.
  if (protectedHeader === null || 'crit' in protectedHeader) return malformed
  if (protectedHeader['alg'] !== algorithm) return { fault: 'algorithm' }
  const signed = token.slice(0, header.length + 1 + body.length)
  if (!isSame(createHmac(digest, key).update(signed).digest('base64url'), signature)) return { fault: 'signature' }
  const claims = textOf(body)
  return claims === null ? malformed : { claims }
}

const malformed = { fault: 'malformed' } as const

/** How long it takes tells nothing of where they differ. */
function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function textOf(base64url: string): string | null {
  try {
    return utf8.decode(Buffer.from(base64url, 'base64url'))
  } catch {
    return null
  }
}

/** The object that a JSON text is, or null. */
export function objectOf(text: string | null): Record<string, unknown> | null {
  try {
    const value: unknown = text === null ? null : JSON.parse(text)
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}
