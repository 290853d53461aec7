import type { FastifyInstance } from 'fastify'
import { Type } from '../../schema/type.ts'
import { configFollowers } from '../members/followers.ts'
import type { ControlPlane } from './control-plane.ts'
import { orNull } from './shapes.ts'

const answer = Type.Object({
  revision: Type.Integer({ description: 'That the leader tells.' }),
  processes: Type.Array(
    Type.Object({
      id: Type.String(),
      role: Type.String(),
      version: Type.String(),
      revision: orNull(Type.Integer({ description: 'The last that it heard of.' })),
      rejected: orNull(Type.String({ description: 'Why it does not follow that, or a part of it.' })),
    }),
  ),
})

/** Which revision of the configuration is told, and which process follows which. */
export function configRoutes(app: FastifyInstance, control: Pick<ControlPlane, 'faults' | 'members'>): void {
  const schema = {
    summary: 'Which revision of the configuration is told, and which process follows which.',
    response: { 200: answer },
  }
  app.get('/api/v1/config', { schema }, () => ({
    revision: control.faults.revision,
    processes: configFollowers(control.members),
  }))
}
