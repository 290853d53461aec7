import type { Env } from '../../cluster/env.ts'
import type { TokenFault } from './tokens.ts'

/** Of each reason a line is written so often at most; the next one says how many went without. */
export const refusalQuietMs = 60_000

/** Why a good token is refused all the same: it is not for this session, or not for this subscription. */
export type TokenMisfit = 'another user' | 'another channel' | 'another client' | 'no user'

/** Tells the operator why tokens are refused: nothing of a token, and no flood of lines. */
export class TokenRefusals {
  readonly #env: Pick<Env, 'clock' | 'logger' | 'metrics'>
  /** Per reason, of which there are a few. */
  readonly #told = new Map<string, { at: number; unsaid: number }>()

  constructor(env: Pick<Env, 'clock' | 'logger' | 'metrics'>) {
    this.#env = env
  }

  /** `command` is what brought the token: connect, refresh or subscribe. */
  refused(command: string, session: string, reason: TokenFault | TokenMisfit): void {
    const { clock, logger, metrics } = this.#env
    metrics.tokensRefused.inc({ command, reason })
    const now = clock.monotonic()
    const told = this.#told.get(reason)
    if (told && now - told.at < refusalQuietMs) return void told.unsaid++
    this.#told.set(reason, { at: now, unsaid: 0 })
    const more = told?.unsaid ? { unsaid: told.unsaid } : {}
    logger.warn({ command, session, reason: sentenceOf(reason), ...more }, 'token refused')
  }
}

const sentences: Partial<Record<string, string>> = {
  malformed: 'it is no JWT of JSON',
  algorithm: 'its algorithm is not HS256',
  signature: 'its signature is not one of client.token.hmac_secret_key',
  'no secret': 'client.token.hmac_secret_key is not set',
  expired: 'it has expired; the clocks may differ by client.token.leeway',
  'not yet valid': 'nbf or iat lies ahead; the clocks may differ by client.token.leeway',
  'another user': 'it is for another user than the session',
  'another channel': 'it is for another channel than the subscription',
  'another client': 'it is for another client than the session',
  'no user': 'it names no user; client.disallow_anonymous_connection_tokens is on',
  'claim aud': 'its claim aud is not client.token.audience or audience_regex',
  'claim iss': 'its claim iss is not client.token.issuer or issuer_regex',
  'claim user': 'its claim client.token.user_id_claim is no text or whole number of at most 2048 bytes',
  'claim channel': 'its claim channel: a subscription token needs it, a connection token must not have it',
}

function sentenceOf(reason: string): string {
  return sentences[reason] ?? `its ${reason} is not what it must be, or is not offered: docs/protocol.md, "Tokens"`
}
