import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { ControlPlane } from './control-plane.ts'
import { waitsFor } from './readiness.ts'
import { exactly, orNull } from './shapes.ts'

const statusView = exactly({
  ready: Type.Boolean(),
  waits_for: orNull(Type.String({ description: 'In words.' })),
  slots: exactly({ total: Type.Integer(), owned: Type.Integer() }),
  workers: Type.Integer({ description: 'Live ones, of whatever version.' }),
  serving: orNull(Type.String({ description: 'Version that owns slots; null before the first.' })),
  leader: Type.Boolean({ description: 'Whether this controller leads.' }),
})
const schema = {
  summary: 'Whether the cluster serves, and what it waits for.',
  response: { 200: statusView },
}

/** Whether the cluster serves, and what it waits for. `workersWanted` must be there before it does. */
export function statusRoutes(app: FastifyInstance, control: ControlPlane, workersWanted: number): void {
  app.get('/api/v1/status', { schema }, () => {
    const { isLeader, holder, serving } = control
    const slots = { total: control.leases.length, owned: control.ownedSlots }
    const workers = { live: control.members.workers().length, wanted: workersWanted }
    const hasProxies = control.liveProxies().some(({ beat }) => beat.state === 'live')
    const reason = waitsFor({ isLeader, holder, slots, workers, hasProxies })
    return { ready: reason === null, waits_for: reason, slots, workers: workers.live, serving, leader: isLeader }
  })
}
