import type { FastifyInstance } from 'fastify'
import { authority } from '../../platform/addresses.ts'
import type { ControlPlane } from './control-plane.ts'

/** Prometheus HTTP service discovery: one group per process, labelled with role, version and id. */
export function targetRoutes(app: FastifyInstance, { members }: ControlPlane): void {
  app.get('/api/v1/prometheus/targets', () =>
    [...members.workers(), ...members.proxies(), ...members.controllers(), ...members.engines()].map(({ beat }) => ({
      targets: [authority(beat.internal.host, beat.internal.port)],
      labels: { role: beat.role, version: beat.version, id: beat.id },
    })),
  )
}
