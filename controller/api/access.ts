import { hash, timingSafeEqual } from 'node:crypto'

/** What a token lets its bearer do: `read` looks, `write` changes things too. */
export type AccessRole = 'read' | 'write'

/** The bearer tokens of the API, one for each role. An empty one lets nobody in. */
export type Tokens = Record<AccessRole, string>

/** Who asks, as far as the API knows. */
export interface Caller {
  role: AccessRole
  /** As the audit log names the caller: the role, and the name that was given with `callerHeader`. */
  who: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; anonymous requests, which see only what is public, have none. */
    caller: Caller | null
  }
}

/** The header in which a caller says who it is. Nothing rests on it: the token decides what may be done. */
export const callerHeader = 'holdfast-caller'

/** Characters of a caller's name that are kept. */
export const callerNameMax = 64

/** The role of a bearer token, from the `Authorization` header; null when it is no token of the API. */
export function roleOf(header: string | undefined, tokens: Tokens): AccessRole | null {
  // Both are compared whatever comes of the first, so that time does not tell which of them it was.
  const isWrite = isBearerOf(header, tokens.write)
  const isRead = isBearerOf(header, tokens.read)
  if (isWrite) return 'write'
  return isRead ? 'read' : null
}

/** Who asks, given the role of the token and what the caller says of itself. */
export function callerOf(role: AccessRole, name: string | string[] | undefined): Caller {
  const said = (Array.isArray(name) ? name[0] : name) ?? ''
  const clean = said
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim()
    .slice(0, callerNameMax)
  return { role, who: clean === '' ? role : `${role}:${clean}` }
}

/** Compares digests, so that neither content nor length of the token shows in the time it takes. */
function isBearerOf(header: string | undefined, token: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`)) && token !== ''
}
