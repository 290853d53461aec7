import { errors, type ClientError } from '../../../protocol/client/codes.ts'
import type { Facts } from '../facts.ts'
import { findingsOf, type Finding } from '../finding.ts'

/** Whatever fails inside the cluster, a client is only ever told to try again: clients of a history send nothing wrong. */
export function refusals(facts: Facts): Finding[] {
  const { found, add } = findingsOf('temporary refusals')
  const temporary = new Set(
    Object.values<ClientError>(errors).flatMap((error) => (error.temporary ? [error.code] : [])),
  )
  for (const message of facts.messages.values()) {
    for (const refused of message.refused) {
      if (temporary.has(refused.code)) continue
      add(`${message.id} was refused for good, with ${refused.code} ${refused.reason}`, [...message.sends, refused])
    }
  }
  return found
}
