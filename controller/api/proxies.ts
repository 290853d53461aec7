import type { FastifyInstance } from 'fastify'
import { authority } from '../../platform/addresses.ts'
import { Type } from '../../schema/type.ts'
import type { ControlPlane } from './control-plane.ts'
import { exactly, orNull } from './shapes.ts'

const proxyView = exactly({
  id: Type.String(),
  pid: Type.Integer(),
  generation: Type.Integer(),
  state: Type.String({ description: '`starting`, `live`, `isolated` or `draining`.' }),
  sessions: Type.Integer({ description: 'Clients that are connected.' }),
  address: orNull(Type.String({ description: 'Where it listens for clients.' })),
})
const schema = { summary: 'Live proxies.', response: { 200: Type.Array(proxyView) } }

/** Proxies that are there right now. */
export function proxyRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/api/v1/proxies', { schema }, () =>
    control.liveProxies().map(({ beat: { id, pid, generation, state, sessions, clients } }) => ({
      id,
      pid,
      generation,
      state,
      sessions,
      address: clients && authority(clients.host, clients.port),
    })),
  )
}
