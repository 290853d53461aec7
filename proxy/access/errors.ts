/** Claims that are looked at; `user` stands for the one that `client.token.user_id_claim` names. */
export type ClaimName =
  | 'sub'
  | 'user'
  | 'exp'
  | 'nbf'
  | 'iat'
  | 'aud'
  | 'iss'
  | 'info'
  | 'b64info'
  | 'data'
  | 'b64data'
  | 'override'
  | 'expire_at'
  | 'channel'
  | 'client'
  | 'channels'
  | 'subs'

/** A claim is not what it must be, or one that this proxy cannot honour. */
export class ClaimError extends Error {
  override name = 'ClaimError'
  readonly claim: ClaimName

  constructor(claim: ClaimName) {
    super(`claim ${claim}`)
    this.claim = claim
  }
}
