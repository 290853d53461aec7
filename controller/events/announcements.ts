import type { Heartbeat } from '../../protocol/records/heartbeat.ts'
import type { StatusRecord } from '../../protocol/records/status.ts'
import type { EventType } from './events.ts'

/** An event before it is published. */
export interface News {
  type: EventType
  data: Record<string, unknown>
}

/** Who is known, before an announcement is noted. */
export interface Known {
  /** What a process that is known said last; null for others. */
  beatOf(id: string): Heartbeat | null
  /** True for one that said goodbye. */
  hasLeft(id: string): boolean
}

/** What an announcement is news of, given who is known; null for what everybody says all the time. */
export function newsOf(record: StatusRecord, known: Known): News | null {
  if (record.type === 'heartbeat') return newsOfBeat(record, known)
  if (record.type === 'left')
    return known.beatOf(record.id) && { type: 'left', data: { role: record.role, id: record.id } }
  if (record.type !== 'acquired') return null
  const { slot, worker, from, kind, pauseMs, epoch } = record
  return { type: 'acquired', data: { slot, epoch, worker, from, kind, pause_ms: pauseMs } }
}

function newsOfBeat(beat: Heartbeat, known: Known): News | null {
  const { role, id, version } = beat
  const before = known.beatOf(id)
  const state = stateOf(beat)
  if (before === null) return known.hasLeft(id) ? null : { type: 'joined', data: { role, id, version, state } }
  const was = stateOf(before)
  return state === was ? null : { type: 'state', data: { role, id, version, state, was } }
}

const stateOf = (beat: Heartbeat): string | undefined => ('state' in beat ? beat.state : undefined)
