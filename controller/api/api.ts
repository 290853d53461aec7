import { timingSafeEqual, hash } from 'node:crypto'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { authority } from '../../platform/addresses.ts'
import type { StoreEnv } from '../../cluster/env.ts'
import { httpConnectionsMax, httpPatienceMs, impatient } from '../../platform/http-limits.ts'
import type { Config } from '../../config/config.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import { StoreError } from '../../store/store.ts'
import type { Controller } from '../controller.ts'
import { waitsFor } from '../readiness.ts'
import type { SlotId } from '../../protocol/slot.ts'

/** Callers get `{code, message}` with a 4xx or 5xx status. */
class ApiError extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const paramsId = { type: 'object', required: ['id'], properties: { id: { type: 'string', maxLength: 64 } } }

/** The controller's HTTP interface. Everything but service discovery needs the bearer token. Does not listen yet. */
export function buildApi(controller: Controller, env: StoreEnv, config: Config, token: string): FastifyInstance {
  const app = fastify({
    ...impatient(httpPatienceMs),
    bodyLimit: 64 * 1024,
    // What does not fit is refused, not bent into shape.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  })

  app.server.maxConnections = httpConnectionsMax
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).send({ code: error.code, message: error.message })
    const isAway = error instanceof StoreError && error.code === 'unavailable'
    const status = isAway ? 503 : (error.statusCode ?? 500)
    if (status >= 500) env.logger.error({ err: error }, 'request failed')
    return reply
      .code(status)
      .send({ code: error.code ?? 'internal', message: status === 500 ? 'internal error' : error.message })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ code: 'not_found', message: 'no such path' }))
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    env.metrics.httpDuration.observe({ route, status: String(reply.statusCode) }, reply.elapsedTime / 1000)
    done()
  })

  app.get('/', (_request, reply) => reply.type('text/plain').send(greeting))
  app.get('/api/v1/prometheus/targets', () => targets(controller))
  app.register((guarded, _options, done) => {
    guarded.addHook('onRequest', (request, _reply, next) => {
      next(
        isAuthorized(request.headers.authorization, token)
          ? undefined
          : new ApiError(401, 'unauthorized', 'bearer token required'),
      )
    })
    routes(guarded, controller, env, config)
    done()
  })
  return app
}

/** Compares digests, so that neither content nor length of the token shows in the time it takes. */
function isAuthorized(header: string | undefined, token: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`))
}

function routes(app: FastifyInstance, controller: Controller, env: StoreEnv, config: Config): void {
  app.get('/api/v1/workers', () =>
    controller.members
      .workers()
      .map(({ beat: { id, pid, version, state, slots } }) => ({ id, pid, version, state, slots: slots.length })),
  )

  app.get('/api/v1/proxies', () =>
    controller.liveProxies().map(({ beat: { id, pid, generation, state, sessions, clients } }) => ({
      id,
      pid,
      generation,
      state,
      sessions,
      address: clients && authority(clients.host, clients.port),
    })),
  )

  app.get('/api/v1/slots', async () => {
    const leases = await env.store.leases()
    return Promise.all(
      leases.toSorted(bySlot).map(async ({ slot, owner, version, epoch, nextOffset }) => {
        const { group, partition } = parseSlot(slot)
        const { next } = await env.log.range(commandTopic(group), partition)
        return { slot, owner, version, epoch, next_offset: nextOffset, lag: Math.max(0, next - nextOffset) }
      }),
    )
  })

  app.get('/api/v1/status', () => {
    const { isLeader, holder, serving } = controller
    const slots = { total: controller.leases.length, owned: controller.ownedSlots }
    const workers = { live: controller.members.workers().length, wanted: config.dev.workers }
    const hasProxies = controller.liveProxies().some(({ beat }) => beat.state === 'live')
    const reason = waitsFor({ isLeader, holder, slots, workers, hasProxies })
    return { ready: reason === null, waits_for: reason, slots, workers: workers.live, serving, leader: isLeader }
  })

  app.post('/api/v1/workers/:id/drain', { schema: { params: paramsId, body: drainBody } }, (request, reply) => {
    const { id } = request.params as { id: string }
    const { force = false } = (request.body ?? {}) as { force?: boolean }
    const workers = controller.members.workers().map(({ beat }) => beat)
    if (!workers.some((worker) => worker.id === id)) throw new ApiError(404, 'unknown_worker', `no live worker ${id}`)
    if (!controller.isLeader)
      throw new ApiError(503, 'not_leading', 'this controller does not lead right now, try again')
    const others = workers.filter((worker) => worker.id !== id && worker.state === 'live')
    if (others.length === 0 && !force) {
      throw new ApiError(
        409,
        'last_worker',
        `${id} is the last live worker: nobody would take its slots (--force drains it all the same)`,
      )
    }
    controller.drain(id)
    return reply.code(202).send({})
  })

  app.get('/api/v1/workers/:id/drain', { schema: { params: paramsId } }, (request) => {
    const { id } = request.params as { id: string }
    const pauses = controller.drains.pausesOf(id)
    if (!pauses) throw new ApiError(404, 'no_drain', `worker ${id} was not asked to drain`)
    const worker = controller.members.workers().find(({ beat }) => beat.id === id)?.beat
    const isDone = !worker || worker.state === 'drained'
    return {
      state: isDone ? 'drained' : 'draining',
      slots: worker?.slots.length ?? 0,
      in_flight: worker?.inFlight ?? 0,
      outbox: worker?.outbox ?? 0,
      pauses_ms: pauses,
    }
  })

  app.post('/api/v1/slots/reset', { schema: { body: resetBody } }, async (request) => {
    const { slot: name, to } = request.body as { slot: SlotId; to: string | number }
    const slot = (await env.store.leases()).find((lease) => lease.slot === name)?.slot
    if (slot === undefined) throw new ApiError(404, 'unknown_slot', `no slot ${name}`)
    const { group, partition } = parseSlot(slot)
    const range = await env.log.range(commandTopic(group), partition)
    const offset = to === 'oldest' ? range.oldest : to === 'end' ? range.next : offsetOf(to)
    if (!Number.isSafeInteger(offset) || offset < range.oldest || offset > range.next) {
      throw new ApiError(422, 'out_of_range', `the log of ${slot} goes from ${range.oldest} to ${range.next}`)
    }
    env.logger.warn({ slot, offset }, 'slot reset by a person')
    const lease = await env.store.resetSlot(slot, offset)
    return { slot, next_offset: lease.nextOffset, incarnation: lease.incarnation }
  })
}

/** Of texts only plain digits are an offset: an empty one would be 0. NaN for all others. */
const offsetOf = (to: string | number): number => (typeof to === 'number' || /^\d+$/.test(to) ? Number(to) : NaN)

const drainBody = {
  type: 'object',
  nullable: true,
  properties: { force: { type: 'boolean' } },
  additionalProperties: false,
}
const resetBody = {
  type: 'object',
  required: ['slot', 'to'],
  properties: { slot: { type: 'string', maxLength: 200 }, to: { anyOf: [{ type: 'string' }, { type: 'integer' }] } },
  additionalProperties: false,
}

/** For people who open the address in a browser. */
const greeting = `This is the controller of a Holdfast cluster.

Ask it with the command line:   holdfast workers | slots | proxies | drain worker ID
or over HTTP, with the bearer token of the data directory:   GET /api/v1/workers
`

/** By group, then by number: default/2 comes before default/10. */
function bySlot(a: { slot: SlotId }, b: { slot: SlotId }): number {
  const [left, right] = [parseSlot(a.slot), parseSlot(b.slot)]
  return left.group === right.group ? left.partition - right.partition : left.group < right.group ? -1 : 1
}

/** Prometheus HTTP service discovery: one group per process, labelled with role, version and id. */
function targets({ members }: Controller): { targets: string[]; labels: Record<string, string> }[] {
  return [...members.workers(), ...members.proxies(), ...members.controllers(), ...members.engines()].map(
    ({ beat }) => ({
      targets: [authority(beat.internal.host, beat.internal.port)],
      labels: { role: beat.role, version: beat.version, id: beat.id },
    }),
  )
}
