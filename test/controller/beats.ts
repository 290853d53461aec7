/** Heartbeats as workers and proxies send them. */
import type { MethodCounters, RoomCounters, WorkCounters } from '../../protocol/records/counters.ts'
import type { ProxyBeat, WorkerBeat } from '../../protocol/records/heartbeat.ts'

const process = { type: 'heartbeat', pid: 1, internal: { host: 'h', port: 1 } } as const
const none: MethodCounters = { commands: 0, errors: 0, refused: 0, silent: 0, several: 0 }

/** Counters of a worker that handled publishes alone. */
export function published(publish: Partial<MethodCounters>, more: Partial<WorkCounters> = {}): WorkCounters {
  const method = { ...none, ...publish }
  return {
    commands: method.commands,
    errors: method.errors,
    effects: { publish: 0, reply: 0, fail: 0, read: 0 },
    violations: 0,
    methods: { publish: method },
    handle: [],
    batch: [],
    ...more,
  }
}

/** Counters of a room. */
export function roomOf(room: string, more: Partial<RoomCounters>): RoomCounters {
  return { ...none, room, violations: 0, late: [0, 0, 0], ...more }
}

/** Of a worker that just began, unless `more` says otherwise. */
export function workerBeat(id: string, version: string, more: Partial<WorkerBeat> = {}): WorkerBeat {
  const idle = { slots: [], claimed: [], inFlight: 0, outbox: 0 }
  return { ...process, role: 'worker', id, version, beat: 1, state: 'live', ...idle, ...more }
}

/** Of a proxy that just began, unless `more` says otherwise. */
export function proxyBeat(id: string, more: Partial<ProxyBeat> = {}): ProxyBeat {
  const idle = { clients: null, generation: 1, sessions: 0, inboxOffset: 0 }
  return { ...process, role: 'proxy', id, version: 'p', beat: 1, state: 'live', ...idle, ...more }
}
