import type { Env } from '../../cluster/env.ts'
import type { ClientError } from '../../protocol/client/codes.ts'
import type { Output } from '../sessions/output.ts'
import type { Session } from '../sessions/session.ts'

/** Answers a command with an error. */
export function refuse(
  { env, output }: { env: Pick<Env, 'metrics'>; output: Output },
  session: Session,
  id: number,
  error: ClientError,
): void {
  env.metrics.rejected.inc({ code: String(error.code) })
  output.send(session, { kind: 'error', id, error })
}
