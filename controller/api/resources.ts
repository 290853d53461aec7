import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ResourceError } from '../resources/errors.ts'
import type { KeptResource } from '../resources/kept.ts'
import { parseMax } from '../resources/parse.ts'
import { resourceId } from '../resources/resource.ts'
import { knownKind } from '../resources/resources.ts'
import type { Resources } from '../resources/resources.ts'
import { ApiError } from './errors.ts'

/** Revisions that an answer holds at most. */
export const historyMax = 50

const paramsKind = {
  type: 'object',
  required: ['kind'],
  properties: { kind: { type: 'string', maxLength: 64 } },
}
const paramsOne = {
  type: 'object',
  required: ['kind', 'name'],
  properties: { kind: { type: 'string', maxLength: 64 }, name: { type: 'string', maxLength: 253 } },
}
const resourcesBody = {
  type: 'object',
  required: ['resources'],
  properties: { resources: { type: 'array', maxItems: parseMax.resources, items: {} } },
  additionalProperties: false,
}
const namesBody = {
  type: 'object',
  required: ['names'],
  properties: {
    names: {
      type: 'array',
      maxItems: parseMax.resources,
      items: { ...paramsOne, additionalProperties: false },
    },
  },
  additionalProperties: false,
}

/** A text that may be read may come as JSON, which takes more of its characters. */
const bodyLimit = 2 * parseMax.bytes

/** What operators write: looked at, checked, applied together, deleted together. */
export function resourceRoutes(app: FastifyInstance, resources: Resources): void {
  app.get('/api/v1/resources/:kind', { schema: { params: paramsKind } }, (request) =>
    answered(async () => {
      const { kind } = request.params as { kind: string }
      return (await resources.list(kind)).map(shown)
    }),
  )

  app.get('/api/v1/resources/:kind/:name', { schema: { params: paramsOne } }, (request) =>
    answered(async () => {
      const { kind, name } = request.params as { kind: string; name: string }
      const { kept, findings } = await resources.describe(kind, name)
      return { ...shown(kept), findings }
    }),
  )

  app.get('/api/v1/resources/:kind/:name/history', { schema: { params: paramsOne } }, (request) =>
    answered(async () => {
      const { kind, name } = request.params as { kind: string; name: string }
      const past = await resources.history(kind, name, historyMax)
      return past.map(({ revision, time, written }) => ({
        revision,
        time: new Date(time).toISOString(),
        resource: written,
      }))
    }),
  )

  app.post(
    '/api/v1/resources/validate',
    { schema: { body: resourcesBody }, bodyLimit, config: { changesNothing: true } },
    (request) => answered(() => resources.validate((request.body as { resources: unknown[] }).resources)),
  )

  app.post('/api/v1/resources', { schema: { body: resourcesBody }, bodyLimit }, (request) =>
    answered(() => resources.apply((request.body as { resources: unknown[] }).resources, whoOf(request))),
  )

  app.post('/api/v1/resources/delete', { schema: { body: namesBody } }, (request) =>
    answered(() => {
      const { names } = request.body as { names: { kind: string; name: string }[] }
      const known = names.map(({ kind, name }) => ({ kind: knownKind(kind), name }))
      return resources.delete(known, whoOf(request))
    }),
  )

  app.delete('/api/v1/resources/:kind/:name', { schema: { params: paramsOne } }, (request) =>
    answered(async () => {
      const { kind, name } = request.params as { kind: string; name: string }
      const applied = await resources.delete([{ kind: knownKind(kind), name }], whoOf(request))
      if (applied.outcomes.length === 0)
        throw new ResourceError(
          'unknown_resource',
          `there is no ${resourceId({ kind: knownKind(kind), metadata: { name } })}`,
        )
      return applied
    }),
  )
}

function shown({ kind, name, revision, time, written }: KeptResource) {
  return { kind, name, revision, time: new Date(time).toISOString(), resource: written }
}

const whoOf = ({ caller }: FastifyRequest): string => caller?.who ?? ''

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ResourceError ? new ApiError(error.code, error.message, { cause: error }) : error
  }
}
