import type { Config } from '../../config/config.ts'
import type { RolloutView } from '../../controller/rollouts/view.ts'
import { ControllerClient } from '../client/client.ts'
import { ReleaseError } from '../releases/errors.ts'
import { rolloutName } from '../releases/rollout-document.ts'
import { releasesOf, untilServes } from './deploy.ts'

/** Where to go back to. */
export interface RollbackOptions {
  /** Null: the version before; in the middle of a rollout the one that serves. */
  to: string | null
  json: boolean
}

/** Goes back to a release that is kept, and returns once it serves. Throws ReleaseError and ControllerError. */
export async function rollback(config: Config, { to, json }: RollbackOptions): Promise<void> {
  const client = new ControllerClient(config)
  try {
    const [{ supervisor }, view] = await Promise.all([client.status(), client.rollout(rolloutName)])
    const target = targetOf(view, to)
    // Without its files nobody could start its workers.
    if (supervisor !== null) releasesOf(config, supervisor).get(target.version)
    if (!json) process.stdout.write(`back to ${target.version}\n`)
    await client.orderRollout(rolloutName, 'undo', target.revision === null ? {} : { to_revision: target.revision })
    await untilServes(client, target.version, json)
  } finally {
    await client.close()
  }
}

/** The version, and its revision where the controller is to be told. */
function targetOf(
  { stable, canary, endedAt, history }: RolloutView,
  to: string | null,
): { version: string; revision: number | null } {
  const isUnderWay = endedAt === null && canary !== stable
  if (isUnderWay && (to === null || to === stable)) return { version: stable, revision: null }
  const found = history.findLast(({ version }) => (to === null ? version !== stable : version === to))
  if (found !== undefined) return found
  const served = [...new Set(history.map(({ version }) => version))].join(', ')
  const what = to === null ? 'no version served before' : `${to} has never served`
  throw new ReleaseError('unknown_release', `${what}: ${served || stable} has; "holdfast deploy" brings another`)
}
