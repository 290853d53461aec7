import type { FastifyInstance } from 'fastify'
import type { Command } from '../rollouts/commands.ts'
import { RolloutError } from '../rollouts/errors.ts'
import { versionViews } from '../rollouts/versions.ts'
import type { Changes } from './changes.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'

const paramsName = { type: 'object', required: ['name'], properties: { name: { type: 'string', maxLength: 253 } } }
const orderParams = {
  type: 'object',
  required: ['name', 'order'],
  properties: {
    name: { type: 'string', maxLength: 253 },
    order: { enum: ['promote', 'pause', 'resume', 'abort', 'undo', 'restart', 'retry'] },
  },
}
const orderBody = {
  type: 'object',
  nullable: true,
  properties: { full: { type: 'boolean' }, to_revision: { type: 'integer', minimum: 1 } },
  additionalProperties: false,
}

/** Reports that are shown of one rollout at most. */
export const reportsMax = 20

/** Rollouts, what a person tells them to do, and which versions have to have workers. */
export function rolloutRoutes(app: FastifyInstance, control: ControlPlane, changes: Changes): void {
  const leading = (): void => {
    if (!control.isLeader) throw new ApiError('not_leading', 'this controller does not lead right now, try again')
  }

  app.get('/api/v1/rollouts', () => {
    leading()
    return control.rollouts.views()
  })

  app.get('/api/v1/rollouts/:name', { schema: { params: paramsName } }, async (request) => {
    leading()
    const { name } = request.params as { name: string }
    return answered(async () => control.rollouts.view(name))
  })

  app.get('/api/v1/rollouts/:name/report', { schema: { params: paramsName } }, async (request) => {
    const { name } = request.params as { name: string }
    const reports = await control.rollouts.reports(name, reportsMax)
    if (reports.length === 0) throw new ApiError('no_report', `no rollout of ${name} has ended yet`)
    return reports
  })

  app.post('/api/v1/rollouts/:name/:order', { schema: { params: orderParams, body: orderBody } }, async (request) => {
    const { name, order } = request.params as { name: string; order: Command['type'] }
    const { full = false, to_revision = null } = (request.body ?? {}) as { full?: boolean; to_revision?: number | null }
    const command = commandOf(order, full, to_revision)
    return answered(() =>
      control.rollouts.order(name, command, request.caller?.who ?? '', (change) => changes.make(request, change)),
    )
  })

  app.get('/api/v1/versions', () => {
    leading()
    const { members, leases, serving, rollouts } = control
    const wanted = rollouts.versionsWanted
    if (serving !== null) wanted.add(serving)
    return versionViews(
      wanted,
      members.workers().map(({ beat }) => beat),
      leases,
    )
  })
}

function commandOf(type: Command['type'], full: boolean, toRevision: number | null): Command {
  if (type === 'promote') return { type, full }
  return type === 'undo' ? { type, toRevision } : { type }
}

async function answered<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    throw error instanceof RolloutError ? new ApiError(error.code, error.message, { cause: error }) : error
  })
}
