import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import type { Store } from '../../store/store.ts'
import { exactly, integerText } from './shapes.ts'

/** Entries that one answer holds at most, and without being asked. */
export const auditLimits = { most: 500, usual: 50 }

const auditQuery = exactly({
  limit: Type.Optional(integerText('Entries at most.')),
  before: Type.Optional(integerText('Only entries below this id.')),
})

const auditEntry = exactly({
  id: Type.Integer({ description: 'Rises with each entry.' }),
  time: Type.String({ format: 'date-time', description: 'By the clock of the store.' }),
  who: Type.String({ description: 'The role of the token, and the name that the caller gave.' }),
  what: Type.String(),
  target: Type.String(),
  before: Type.Unknown({ description: 'What was there; null where there was nothing.' }),
  after: Type.Unknown({ description: 'What is there since; null where nothing is.' }),
})

/** Who changed what. */
export function auditRoutes(app: FastifyInstance, store: Pick<Store, 'audit'>): void {
  const schema = {
    summary: 'Who changed what, newest first.',
    querystring: auditQuery,
    response: { 200: Type.Array(auditEntry) },
  }
  app.get('/api/v1/audit', { schema }, async (request) => {
    const { limit, before } = request.query as Static<typeof auditQuery>
    const most = Math.min(limit === undefined ? auditLimits.usual : Number(limit), auditLimits.most)
    const entries = await store.audit(before === undefined ? null : Number(before), most)
    return entries.map(({ time, before: was, after, ...entry }) => ({
      ...entry,
      time: new Date(time).toISOString(),
      before: parsed(was),
      after: parsed(after),
    }))
  })
}

const parsed = (json: string | null): unknown => (json === null ? null : JSON.parse(json))
