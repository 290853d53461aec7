import type { Config } from './config.ts'

/** Claims of a token that we sign ourselves for a user: what the configuration asks of every token. */
export function ownClaims(user: string, { audience, issuer, user_id_claim: claim }: Config['client']['token']) {
  return {
    [claim || 'sub']: user,
    ...(audience !== '' && { aud: audience }),
    ...(issuer !== '' && { iss: issuer }),
  }
}
