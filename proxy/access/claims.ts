import { sliceMember } from '../../protocol/json.ts'
import { userBytesMax } from '../../protocol/records/sizes.ts'
import { ClaimError } from './errors.ts'
import type { ClaimName } from './errors.ts'
import { objectOf } from './jwt.ts'

/** The last second of the year 9999: beyond it a number is a mistake and no time. */
const lastSecond = 253_402_300_799

/** The claims of a token. Every method throws ClaimError for a claim that is there and is not of its kind. */
export class Claims {
  readonly #text: string
  readonly #members: Record<string, unknown>

  private constructor(text: string, members: Record<string, unknown>) {
    this.#text = text
    this.#members = members
  }

  /** Null when the text is no JSON object. */
  static parse(text: string): Claims | null {
    const members = objectOf(text)
    return members && new Claims(text, members)
  }

  /** A text; empty when the claim is absent. Half a surrogate pair has no UTF-8, so two such texts could become one. */
  text(name: ClaimName): string {
    const value = this.#members[name] ?? ''
    if (typeof value !== 'string' || !value.isWellFormed() || this.#members[name] === null) throw new ClaimError(name)
    return value
  }

  /** The user that `sub`, or another claim, names; empty for nobody. Another claim may also be a whole number. */
  user(claim: string): string {
    const subject = this.text('sub')
    const user = claim === '' || claim === 'sub' ? subject : this.#textOrNumber(claim)
    if (Buffer.byteLength(user) > userBytesMax) throw new ClaimError(claim === '' ? 'sub' : 'user')
    return user
  }

  #textOrNumber(claim: string): string {
    const value = Object.hasOwn(this.#members, claim) ? this.#members[claim] : ''
    if (typeof value === 'string' && value.isWellFormed()) return value
    // As it is written: an id of 64 bits is more than a number of JavaScript holds.
    const source = sliceMember(this.#text, claim) ?? ''
    if (typeof value === 'number' && /^-?\d+$/.test(source)) return source
    throw new ClaimError('user')
  }

  /** A time in ms since 1970, from seconds; undefined when the claim is absent. */
  time(name: 'exp' | 'nbf' | 'iat' | 'expire_at'): number | undefined {
    const value = this.#members[name]
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !(Math.abs(value) <= lastSecond)) throw new ClaimError(name)
    return value * 1_000
  }

  /** Whom the token is for: one text or several. */
  get audience(): string[] {
    const value = this.#members['aud'] ?? []
    const list: unknown[] = Array.isArray(value) ? value : [value]
    if (!list.every((each) => typeof each === 'string') || this.#members['aud'] === null) throw new ClaimError('aud')
    return list
  }

  /** JSON of `b64info` or `info` as it is written, on one line; null when there is neither. */
  get info(): string | null {
    const encoded = this.text('b64info')
    const text = encoded === '' ? sliceMember(this.#text, 'info') : jsonOfBase64(encoded)
    // Line feeds part messages; in JSON they stand between values only.
    return text?.replaceAll(/[\r\n]/g, ' ') ?? null
  }

  /** Throws when a claim says something: it would have to be honoured, and is not. */
  refuse(...names: ClaimName[]): void {
    for (const name of names) if (!isNothing(this.#members[name])) throw new ClaimError(name)
  }
}

/** Absent, or what says no more than that. */
function isNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === undefined || value === null || value === ''
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function jsonOfBase64(encoded: string): string {
  if (!base64.test(encoded)) throw new ClaimError('b64info')
  try {
    const text = utf8.decode(Buffer.from(encoded, 'base64'))
    JSON.parse(text)
    return text
  } catch (cause) {
    throw Object.assign(new ClaimError('b64info'), { cause })
  }
}
