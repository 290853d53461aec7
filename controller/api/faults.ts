import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FaultError } from '../faults/errors.ts'
import type { ControlPlane } from './control-plane.ts'
import { ApiError } from './errors.ts'

const paramsName = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', pattern: '^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$' } },
}

/** Faults: which are set, what each process says of them, and setting and clearing them. */
export function faultRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/api/v1/faults', () => {
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

  app.put('/api/v1/faults/:name', { schema: { params: paramsName } }, async (request) => {
    const { name } = request.params as { name: string }
    return { name, revision: await refused(control.faults.put(name, request.body, whoOf(request))) }
  })

  app.delete('/api/v1/faults/:name', { schema: { params: paramsName } }, async (request) => {
    const { name } = request.params as { name: string }
    return refused(control.faults.clear(name, whoOf(request)))
  })

  app.delete('/api/v1/faults', async (request) => {
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
