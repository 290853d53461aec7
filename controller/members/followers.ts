import type { Heartbeat } from '../../protocol/records/heartbeat.ts'
import type { Members } from './members.ts'

/** What a process follows of the configuration. */
export interface ConfigFollower {
  id: string
  role: Heartbeat['role']
  version: string
  /** The last that it heard of; null before the first, and from an older version. */
  revision: number | null
  /** Why it does not follow that, or a part of it; null when it does. */
  rejected: string | null
}

/** What each process follows of the configuration, as it says. */
export function configFollowers(members: Members): ConfigFollower[] {
  return [...members.controllers(), ...members.proxies(), ...members.workers()].map(({ beat }) => ({
    id: beat.id,
    role: beat.role,
    version: beat.version,
    revision: beat.config?.revision ?? null,
    rejected: beat.config?.rejected ?? null,
  }))
}
