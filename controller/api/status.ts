import type { FastifyInstance } from 'fastify'
import type { ControlPlane } from './control-plane.ts'
import { waitsFor } from './readiness.ts'

/** Whether the cluster serves, and what it waits for. `workersWanted` must be there before it does. */
export function statusRoutes(app: FastifyInstance, control: ControlPlane, workersWanted: number): void {
  app.get('/api/v1/status', () => {
    const { isLeader, holder, serving } = control
    const slots = { total: control.leases.length, owned: control.ownedSlots }
    const workers = { live: control.members.workers().length, wanted: workersWanted }
    const hasProxies = control.liveProxies().some(({ beat }) => beat.state === 'live')
    const reason = waitsFor({ isLeader, holder, slots, workers, hasProxies })
    return { ready: reason === null, waits_for: reason, slots, workers: workers.live, serving, leader: isLeader }
  })
}
