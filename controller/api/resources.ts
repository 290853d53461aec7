import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from '../../schema/type.ts'
import { ResourceError } from '../resources/errors.ts'
import type { KeptResource } from '../resources/kept.ts'
import { parseMax } from '../resources/parse.ts'
import { resourceId } from '../resources/resource.ts'
import { knownKind } from '../resources/resources.ts'
import type { Resources } from '../resources/resources.ts'
import { ApiError } from './errors.ts'
import { exactly, orNull } from './shapes.ts'

/** Revisions that an answer holds at most. */
export const historyMax = 50

const kind = Type.String({ maxLength: 64 })
const name = Type.String({ maxLength: 253 })
const paramsKind = exactly({ kind })
const paramsOne = exactly({ kind, name })
const resourcesBody = exactly({
  resources: Type.Array(Type.Unknown(), { maxItems: parseMax.resources, description: 'As they are written.' }),
})
const namesBody = exactly({ names: Type.Array(paramsOne, { maxItems: parseMax.resources }) })

const time = Type.String({ format: 'date-time', description: 'By the clock of the store.' })
const written = Type.Object({}, { additionalProperties: true, description: 'As it was written.' })
const keptMembers = { kind, name, revision: Type.Integer(), time, resource: written }
const findings = Type.Array(
  exactly({
    code: Type.String({ description: 'Of the rule that was broken.' }),
    severity: Type.String({ description: '`error` refuses the resource, `warning` does not.' }),
    resource: Type.String(),
    path: Type.String({ description: 'Where in it; empty for the whole.' }),
    message: Type.String(),
    line: Type.Optional(Type.Integer()),
  }),
)
const outcome = Type.String({ description: '`created`, `configured`, `unchanged` or `deleted`.' })
const applied = exactly({ outcomes: Type.Array(exactly({ kind, name, outcome })), findings })
const past = exactly({ revision: Type.Integer(), time, resource: orNull(written) })

const schemas = {
  list: { summary: 'Resources of a kind.', params: paramsKind, response: { 200: Type.Array(exactly(keptMembers)) } },
  one: {
    summary: 'A resource, and what is to be said of it.',
    params: paramsOne,
    response: { 200: exactly({ ...keptMembers, findings }) },
  },
  history: {
    summary: 'Revisions of a resource, newest first; null where it was deleted.',
    params: paramsOne,
    response: { 200: Type.Array(past) },
  },
  validate: {
    summary: 'What applying would come to. Changes nothing.',
    body: resourcesBody,
    response: { 200: applied },
  },
  apply: { summary: 'Applies resources, all of them or none.', body: resourcesBody, response: { 200: applied } },
  deleteMany: { summary: 'Deletes resources that are there.', body: namesBody, response: { 200: applied } },
  deleteOne: { summary: 'Deletes a resource.', params: paramsOne, response: { 200: applied } },
}

/** A text that may be read may come as JSON, which takes more of its characters. */
const bodyLimit = 2 * parseMax.bytes

/** What operators write: looked at, checked, applied together, deleted together. */
export function resourceRoutes(app: FastifyInstance, resources: Resources): void {
  app.get('/api/v1/resources/:kind', { schema: schemas.list }, (request) =>
    answered(async () => {
      const { kind } = request.params as { kind: string }
      return (await resources.list(kind)).map(shown)
    }),
  )

  app.get('/api/v1/resources/:kind/:name', { schema: schemas.one }, (request) =>
    answered(async () => {
      const { kind, name } = request.params as { kind: string; name: string }
      const { kept, findings } = await resources.describe(kind, name)
      return { ...shown(kept), findings }
    }),
  )

  app.get('/api/v1/resources/:kind/:name/history', { schema: schemas.history }, (request) =>
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
    { schema: schemas.validate, bodyLimit, config: { changesNothing: true } },
    (request) =>
      answered(() => {
        const mayApply = request.caller?.role === 'write'
        return resources.validate((request.body as { resources: unknown[] }).resources, mayApply)
      }),
  )

  app.post('/api/v1/resources', { schema: schemas.apply, bodyLimit }, (request) =>
    answered(() => resources.apply((request.body as { resources: unknown[] }).resources, whoOf(request))),
  )

  app.post('/api/v1/resources/delete', { schema: schemas.deleteMany }, (request) =>
    answered(() => {
      const { names } = request.body as { names: { kind: string; name: string }[] }
      const known = names.map(({ kind, name }) => ({ kind: knownKind(kind), name }))
      return resources.delete(known, whoOf(request))
    }),
  )

  app.delete('/api/v1/resources/:kind/:name', { schema: schemas.deleteOne }, (request) =>
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
