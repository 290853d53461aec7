import type { FastifyInstance } from 'fastify'
import type { Changes } from './changes.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'

const paramsId = { type: 'object', required: ['id'], properties: { id: { type: 'string', maxLength: 64 } } }
const drainBody = {
  type: 'object',
  nullable: true,
  properties: { force: { type: 'boolean' } },
  additionalProperties: false,
}

/** Workers, and letting them go. */
export function workerRoutes(app: FastifyInstance, control: ControlPlane, changes: Changes): void {
  app.get('/api/v1/workers', () =>
    control.members
      .workers()
      .map(({ beat: { id, pid, version, state, slots } }) => ({ id, pid, version, state, slots: slots.length })),
  )

  app.post('/api/v1/workers/:id/drain', { schema: { params: paramsId, body: drainBody } }, async (request, reply) => {
    const { id } = request.params as { id: string }
    const { force = false } = (request.body ?? {}) as { force?: boolean }
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

  app.get('/api/v1/workers/:id/drain', { schema: { params: paramsId } }, (request) => {
    const { id } = request.params as { id: string }
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
