import type { FastifyInstance } from 'fastify'
import { authority } from '../../platform/addresses.ts'
import type { ControlPlane } from './control-plane.ts'

/** Proxies that are there right now. */
export function proxyRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/api/v1/proxies', () =>
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
