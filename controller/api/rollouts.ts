import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import type { RoomVerdict } from '../analysis/room-trial.ts'
import type { Command } from '../rollouts/commands.ts'
import { RolloutError } from '../rollouts/errors.ts'
import { versionViews } from '../rollouts/versions.ts'
import type { Changes } from './changes.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { exactly, orNull } from './shapes.ts'

const name = Type.String({ maxLength: 253 })
const paramsName = exactly({ name })
const orders = ['promote', 'pause', 'resume', 'abort', 'undo', 'restart', 'retry'] as const
const orderBody = Type.Union([
  exactly({
    full: Type.Optional(Type.Boolean({ description: 'Of `promote`: without the steps that are left.' })),
    to_revision: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Of `undo`: the one before when it is not given.' }),
    ),
  }),
  Type.Null(),
])
const shares = Type.Record(Type.String(), Type.Number())
const rolloutView = exactly({
  name,
  phase: Type.String(),
  reason: Type.String(),
  message: Type.String(),
  revision: Type.Integer(),
  stable: Type.String({ description: 'Version.' }),
  canary: Type.String({ description: 'Version.' }),
  groups: Type.Union([Type.Literal('all'), Type.Array(Type.String())], { description: 'Slot groups that it moves.' }),
  step: Type.Integer({ description: 'Index of the present one; the number of steps when all are done.' }),
  steps: Type.Array(Type.String()),
  weights: exactly({ desired: shares, actual: shares }),
  slots: exactly({ total: Type.Integer(), byVersion: shares }),
  workers: shares,
  analyses: Type.Array(exactly({ name: Type.String(), phase: Type.String(), message: Type.String() })),
  kept: Type.Array(Type.String(), { description: 'Versions whose workers are kept for a while.' }),
  history: Type.Array(exactly({ revision: Type.Integer(), version: Type.String(), at: Type.Number() })),
  startedAt: Type.Number(),
  endedAt: orNull(Type.Number()),
})
const reportView = Type.Object(
  {},
  { additionalProperties: true, description: 'What was done, when, and what was seen.' },
)
const versionView = exactly({
  version: Type.String(),
  wanted: Type.Boolean({ description: 'Workers of it are to be there.' }),
  workers: Type.Integer({ description: 'That live.' }),
  slots: Type.Integer({ description: 'That they own.' }),
})

const verdicts: RoomVerdict[] = ['bad', 'good', 'unknown']
const roomView = exactly({
  room: Type.String(),
  verdict: Type.Enum(verdicts, { description: '`unknown`: too little is known of what it was, or is.' }),
  reason: Type.String({ description: 'Why it is bad; empty otherwise.' }),
  commands: Type.Integer({ description: 'That the canary handled.' }),
})

const schemas = {
  list: { summary: 'How each rollout is.', response: { 200: Type.Array(rolloutView) } },
  one: { summary: 'How a rollout is.', params: paramsName, response: { 200: rolloutView } },
  reports: {
    summary: 'What became of a rollout, newest first.',
    params: paramsName,
    response: { 200: Type.Array(reportView) },
  },
  rooms: {
    summary: 'Rooms that the canary handles, or handled last, each judged against its own past; harmed ones first.',
    params: paramsName,
    querystring: exactly({ verdict: Type.Optional(Type.Enum(verdicts)) }),
    response: { 200: Type.Array(roomView) },
  },
  order: {
    summary: 'Tells a rollout what to do.',
    params: exactly({ name, order: Type.Enum([...orders]) }),
    body: orderBody,
    response: { 200: rolloutView },
  },
  versions: {
    summary: 'Versions, and whether workers of them are to be there.',
    response: { 200: Type.Array(versionView) },
  },
}

/** Reports that are shown of one rollout at most. */
export const reportsMax = 20

/** Rollouts, what a person tells them to do, and which versions have to have workers. */
export function rolloutRoutes(app: FastifyInstance, control: ControlPlane, changes: Changes): void {
  const leading = (): void => {
    if (!control.isLeader) throw new ApiError('not_leading', 'this controller does not lead right now, try again')
  }

  app.get('/api/v1/rollouts', { schema: schemas.list }, () => {
    leading()
    return control.rollouts.views()
  })

  app.get('/api/v1/rollouts/:name', { schema: schemas.one }, async (request) => {
    leading()
    const { name } = request.params as Static<typeof paramsName>
    return answered(async () => control.rollouts.view(name))
  })

  app.get('/api/v1/rollouts/:name/report', { schema: schemas.reports }, async (request) => {
    const { name } = request.params as Static<typeof paramsName>
    const reports = await control.rollouts.reports(name, reportsMax)
    if (reports.length === 0) throw new ApiError('no_report', `no rollout of ${name} has ended yet`)
    return reports
  })

  app.get('/api/v1/rollouts/:name/rooms', { schema: schemas.rooms }, async (request) => {
    leading()
    const { name } = request.params as Static<typeof paramsName>
    const { verdict } = request.query as { verdict?: RoomVerdict }
    return answered(async () => control.rollouts.rooms(name, verdict))
  })

  app.post('/api/v1/rollouts/:name/:order', { schema: schemas.order }, async (request) => {
    const { name, order } = request.params as { name: string; order: Command['type'] }
    const { full = false, to_revision = null } = (request.body as Static<typeof orderBody>) ?? {}
    const command = commandOf(order, full, to_revision)
    return answered(() =>
      control.rollouts.order(name, command, request.caller?.who ?? '', (change) => changes.make(request, change)),
    )
  })

  app.get('/api/v1/versions', { schema: schemas.versions }, () => {
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
