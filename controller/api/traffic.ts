import type { FastifyInstance } from 'fastify'
import { Type } from '../../schema/type.ts'
import type { ControlPlane } from './control-plane.ts'
import { exactly, orNull } from './shapes.ts'

const versionView = exactly({
  version: Type.String(),
  desired: Type.Number({ description: 'Percent that it is to have.' }),
  slots: Type.Integer({ description: 'Slots that its workers own.' }),
  slots_percent: Type.Number({ description: 'Percent of the slots.' }),
  traffic_percent: orNull(Type.Number({ description: 'Percent of the commands that were measured.' })),
})
const groupView = exactly({
  group: Type.String(),
  weight_by: Type.String({ description: '`slots` or `traffic`.' }),
  slots: Type.Integer(),
  quantum: Type.Number({ description: 'Percent that one slot is: weights by slots come no nearer than that.' }),
  moving: Type.Integer({ description: 'Slots on their way to another worker.' }),
  versions: Type.Array(versionView),
})
const schema = {
  summary: 'How slots are to be shared among versions, and are.',
  response: { 200: Type.Array(groupView) },
}

/** How slots are to be shared among versions, and are. */
export function trafficRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/api/v1/traffic', { schema }, () => control.traffic())
}
