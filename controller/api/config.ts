import type { FastifyInstance } from 'fastify'
import type { ControlPlane } from './control-plane.ts'

/** Which revision of the configuration is told, and which process follows which. */
export function configRoutes(app: FastifyInstance, control: Pick<ControlPlane, 'faults' | 'followers'>): void {
  app.get('/api/v1/config', () => ({ revision: control.faults.revision, processes: control.followers() }))
}
