import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { ableWorkers } from '../placement/able.ts'
import { remainingOf } from '../placement/drains.ts'
import type { Changes } from './changes.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { doneShape, exactly } from './shapes.ts'

const params = exactly({ version: Type.String({ maxLength: 253, description: 'A version.' }) })
const body = Type.Union([
  exactly({ force: Type.Optional(Type.Boolean({ description: 'Also when nobody would take its slots.' })) }),
  Type.Null(),
])
const view = exactly({
  state: Type.String({ description: '`draining` or `drained`: all of the following are 0.' }),
  workers: Type.Integer({ description: 'Its workers that are not drained.' }),
  slots: Type.Integer({ description: 'Slots that they still own.' }),
  in_flight: Type.Integer({ description: 'Records that they have read and not committed.' }),
  outbox: Type.Integer({ description: 'Outbox rows that are not known to be in the log.' }),
  pauses_ms: Type.Array(Type.Number(), { description: 'One for each slot that they handed over.' }),
})
const schemas = {
  drain: {
    summary: 'Lets others take the slots of all workers of a version over.',
    params,
    body,
    response: { 202: doneShape },
  },
  drained: { summary: 'How far a drain of a version is.', params, response: { 200: view } },
}

/** Letting a whole version go. */
export function versionDrainRoutes(app: FastifyInstance, control: ControlPlane, changes: Changes): void {
  app.post('/api/v1/versions/:version/drain', { schema: schemas.drain }, async (request, reply) => {
    const { version } = request.params as Static<typeof params>
    const { force = false } = (request.body as Static<typeof body>) ?? {}
    const workers = control.members.workers().map(({ beat }) => beat)
    const mine = workers.filter((each) => each.version === version)
    if (mine.length === 0) throw new ApiError('unknown_version', `no worker of version ${version} lives`)
    const others = ableWorkers(workers, control.unable).filter((each) => each.version !== version)
    if (others.length === 0 && !force) {
      throw new ApiError(
        'last_worker',
        `no worker of another version can take the slots of ${version} (--force drains it all the same)`,
      )
    }
    const before = { workers: mine.map(({ id }) => id), slots: mine.reduce((sum, { slots }) => sum + slots.length, 0) }
    await changes.make(request, { what: 'drain version', target: version, before, after: { state: 'draining', force } })
    control.drainVersion(
      version,
      mine.map(({ id }) => id),
    )
    return reply.code(202).send({})
  })

  app.get('/api/v1/versions/:version/drain', { schema: schemas.drained }, (request) => {
    const { version } = request.params as Static<typeof params>
    const ids = control.drains.workersOf(version)
    if (ids === undefined) throw new ApiError('no_drain', `version ${version} was not asked to drain`)
    const workers = control.members.workers().map(({ beat }) => beat)
    const remaining = remainingOf(ids, workers, control.leases)
    const isDone = Object.values(remaining).every((count) => count === 0)
    const pauses = [...ids].flatMap((id) => control.drains.pausesOf(id) ?? [])
    return { state: isDone ? 'drained' : 'draining', ...remaining, pauses_ms: pauses }
  })
}
