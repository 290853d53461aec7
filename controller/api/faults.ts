import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../schema/type.ts'
import { FaultError } from '../faults/errors.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'
import { exactly, orNull } from './shapes.ts'

const paramsName = exactly({ name: Type.String({ pattern: '^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$' }) })
const faultView = Type.Object(
  {
    name: Type.String(),
    stage: Type.String(),
    left_ms: orNull(Type.Number({ description: 'What is left of it; null for good.' })),
  },
  { additionalProperties: true, description: 'As it was set, and what is left of it.' },
)
const followerView = exactly({
  role: Type.String(),
  id: Type.String(),
  revision: orNull(Type.Integer({ description: 'That it follows.' })),
  rejected: orNull(Type.String({ description: 'Why it does not follow a newer one.' })),
})
const clearedView = exactly({ revision: Type.Integer(), cleared: Type.Array(Type.String()) })

const schemas = {
  list: {
    summary: 'Faults that are set, and which revision of them each process follows.',
    response: {
      200: exactly({
        enabled: Type.Boolean({ description: 'Whether any may be set here.' }),
        revision: Type.Integer(),
        faults: Type.Array(faultView),
        processes: Type.Array(followerView),
      }),
    },
  },
  put: {
    summary: 'Sets a fault, or another one in its place.',
    params: paramsName,
    body: Type.Unknown({ description: 'The fault.' }),
    response: { 200: exactly({ name: Type.String(), revision: Type.Integer() }) },
  },
  clear: { summary: 'Clears a fault.', params: paramsName, response: { 200: clearedView } },
  clearAll: { summary: 'Clears all faults that were set by themselves.', response: { 200: clearedView } },
}

/** Faults: which are set, what each process says of them, and setting and clearing them. */
export function faultRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/api/v1/faults', { schema: schemas.list }, () => {
    // What a controller that does not lead knows may be old.
    if (!control.isLeader) throw new ApiError('not_leading', 'this controller does not lead right now, try again')
    const { faults, members } = control
    const followers = [...members.workers(), ...control.liveProxies()]
    return {
      enabled: faults.areOn,
      revision: faults.revision,
      faults: faults.set.map(({ fault, leftMs }) => ({ ...fault, left_ms: leftMs })),
      processes: followers.map(({ beat: { role, id, config } }) => ({
        role,
        id,
        revision: config?.revision ?? null,
        rejected: config?.rejected ?? null,
      })),
    }
  })

  app.put('/api/v1/faults/:name', { schema: schemas.put }, async (request) => {
    const { name } = request.params as Static<typeof paramsName>
    return { name, revision: await refused(control.faults.put(name, request.body, whoOf(request))) }
  })

  app.delete('/api/v1/faults/:name', { schema: schemas.clear }, async (request) => {
    const { name } = request.params as Static<typeof paramsName>
    return refused(control.faults.clear(name, whoOf(request)))
  })

  app.delete('/api/v1/faults', { schema: schemas.clearAll }, async (request) => {
    return refused(control.faults.clear(null, whoOf(request)))
  })
}

function whoOf({ caller }: Pick<FastifyRequest, 'caller'>): string {
  return caller?.who ?? ''
}

async function refused<T>(change: Promise<T>): Promise<T> {
  try {
    return await change
  } catch (error) {
    if (error instanceof FaultError) throw new ApiError(error.code, error.message, { cause: error })
    throw error
  }
}
