import type { FastifyInstance } from 'fastify'
import { authority } from '../../platform/addresses.ts'
import { Type } from '../../schema/type.ts'
import type { ControlPlane } from './control-plane.ts'
import { exactly } from './shapes.ts'

const targetGroup = exactly({
  targets: Type.Array(Type.String({ description: '`host:port` of an internal listener.' })),
  labels: exactly({ role: Type.String(), version: Type.String(), id: Type.String() }),
})
const schema = {
  summary: "Every process, as Prometheus' HTTP service discovery has it.",
  security: [],
  response: { 200: Type.Array(targetGroup) },
}

/** Prometheus HTTP service discovery: one group per process, labelled with role, version and id. */
export function targetRoutes(app: FastifyInstance, { members }: ControlPlane): void {
  app.get('/api/v1/prometheus/targets', { schema }, () =>
    [...members.workers(), ...members.proxies(), ...members.controllers(), ...members.engines()].map(({ beat }) => ({
      targets: [authority(beat.internal.host, beat.internal.port)],
      labels: { role: beat.role, version: beat.version, id: beat.id },
    })),
  )
}
