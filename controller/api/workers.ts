import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import type { Changes } from './changes.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { doneShape, exactly } from './shapes.ts'

const paramsId = exactly({ id: Type.String({ maxLength: 64, description: 'Id of the worker.' }) })
const drainBody = Type.Union([
  exactly({ force: Type.Optional(Type.Boolean({ description: 'Also when nobody would take its slots.' })) }),
  Type.Null(),
])
const workerView = exactly({
  id: Type.String(),
  pid: Type.Integer(),
  version: Type.String(),
  state: Type.String({ description: '`live`, `ejected` for a while, `draining` or `drained`.' }),
  slots: Type.Integer({ description: 'Slots that it owns.' }),
})
const drainView = exactly({
  state: Type.String({ description: '`draining` or `drained`: it owns nothing, and nothing of it is under way.' }),
  slots: Type.Integer({ description: 'Slots that it still owns.' }),
  in_flight: Type.Integer({ description: 'Records that it has read and not committed.' }),
  outbox: Type.Integer({ description: 'Outbox rows that are not known to be in the log.' }),
  pauses_ms: Type.Array(Type.Number(), { description: 'One for each slot that it handed over.' }),
})

const schemas = {
  list: { summary: 'Live workers.', response: { 200: Type.Array(workerView) } },
  drain: {
    summary: 'Lets others take the slots of a worker over.',
    params: paramsId,
    body: drainBody,
    response: { 202: doneShape },
  },
  drained: { summary: 'How far a drain is.', params: paramsId, response: { 200: drainView } },
}

/** Workers, and letting them go. */
export function workerRoutes(app: FastifyInstance, control: ControlPlane, changes: Changes): void {
  app.get('/api/v1/workers', { schema: schemas.list }, () => {
    const { ejected } = control.placement
    return control.members.workers().map(({ beat: { id, pid, version, state: own, slots } }) => {
      const state = own === 'live' && ejected.has(id) ? 'ejected' : own
      return { id, pid, version, state, slots: slots.length }
    })
  })

  app.post('/api/v1/workers/:id/drain', { schema: schemas.drain }, async (request, reply) => {
    const { id } = request.params as Static<typeof paramsId>
    const { force = false } = (request.body as Static<typeof drainBody>) ?? {}
    const workers = control.members.workers().map(({ beat }) => beat)
    const worker = workers.find((each) => each.id === id)
    if (!worker) throw new ApiError('unknown_worker', `no live worker ${id}`)
    const others = workers.filter((each) => each.id !== id && each.state === 'live')
    if (others.length === 0 && !force) {
      throw new ApiError(
        'last_worker',
        `${id} is the last live worker: nobody would take its slots (--force drains it all the same)`,
      )
    }
    const before = { state: worker.state, slots: worker.slots.length }
    await changes.make(request, { what: 'drain worker', target: id, before, after: { state: 'draining', force } })
    control.drain(id)
    return reply.code(202).send({})
  })

  app.get('/api/v1/workers/:id/drain', { schema: schemas.drained }, (request) => {
    const { id } = request.params as Static<typeof paramsId>
    const pauses = control.drains.pausesOf(id)
    if (!pauses) throw new ApiError('no_drain', `worker ${id} was not asked to drain`)
    const worker = control.members.workers().find(({ beat }) => beat.id === id)?.beat
    const isDone = !worker || worker.state === 'drained'
    return {
      state: isDone ? 'drained' : 'draining',
      slots: worker?.slots.length ?? 0,
      in_flight: worker?.inFlight ?? 0,
      outbox: worker?.outbox ?? 0,
      pauses_ms: pauses,
    }
  })
}
