import type { FastifyInstance } from 'fastify'
import { Type } from '../../schema/type.ts'
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
  supervisor: orNull(Type.String({ description: 'Data directory of the `holdfast dev` that runs it.' })),
})
const schema = {
  summary: 'Whether the cluster serves, and what it waits for.',
  response: { 200: statusView },
}

/** What a controller cannot see, and is told. */
export interface StatusOptions {
  /** Workers that must be there before the cluster counts as ready. */
  workersWanted: number
  /** Data directory of the supervisor whose process this is; null, or left out, without one. */
  supervisor?: string | null
}

/** Whether the cluster serves, what it waits for, and who starts its processes. */
export function statusRoutes(
  app: FastifyInstance,
  control: ControlPlane,
  { workersWanted, supervisor = null }: StatusOptions,
): void {
  app.get('/api/v1/status', { schema }, () => {
    const { isLeader, holder, serving } = control
    const slots = { total: control.leases.length, owned: control.ownedSlots }
    const workers = { live: control.members.workers().length, wanted: workersWanted }
    const hasProxies = control.liveProxies().some(({ beat }) => beat.state === 'live')
    const reason = waitsFor({ isLeader, holder, slots, workers, hasProxies })
    const ready = reason === null
    return { ready, waits_for: reason, slots, workers: workers.live, serving, leader: isLeader, supervisor }
  })
}
