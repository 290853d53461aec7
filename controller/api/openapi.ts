import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { packageVersion } from '../../platform/package-version.ts'
import { Type } from '../../schema/type.ts'
import { changesNothing } from './changes.ts'
import { refusalShape } from './shapes.ts'

/** What every route may answer beside what it is for. */
const refusals = {
  '4xx': { description: 'Refused: nothing was done.', ...refusalShape },
  '5xx': { description: 'Not to be had right now, or a fault of ours.', ...refusalShape },
}

/**
 * Describes every route that is registered in plugins of `app` after this, by the schemas that requests are held to, with the
 * role that it takes where others would have a scope.
 */
export function describeApi(app: FastifyInstance): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast controller', version: packageVersion },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: ({ schema, url, route: { method, config } }) => {
      const described = schema as { response?: object; security?: Record<string, string[]>[] }
      const role = changesNothing([method].flat(), config) ? 'read' : 'write'
      return {
        url,
        schema: { security: [{ bearer: [role] }], ...described, response: { ...described?.response, ...refusals } },
      }
    },
  })
}

/** The description of the API. */
export function openapiRoute(app: FastifyInstance): void {
  const schema = {
    summary: 'This description.',
    response: { 200: Type.Object({}, { additionalProperties: true, description: 'An OpenAPI document.' }) },
  }
  app.get('/api/v1/openapi.json', { schema }, () => app.swagger())
}
