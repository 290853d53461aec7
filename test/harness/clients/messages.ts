/** What a proxy says to a client, as far as tests look at it. */

export interface Publication {
  offset: number
  data: unknown
  info?: { user: string; client: string; conn_info?: unknown }
  time?: number
}

export interface Message {
  id?: number
  error?: { code: number; message: string; temporary?: boolean }
  connect?: { client: string; version: string; expires?: boolean; ttl?: number; ping?: number; pong?: boolean }
  subscribe?: {
    recoverable?: boolean
    positioned?: boolean
    epoch?: string
    offset?: number
    recovered?: boolean
    was_recovering?: boolean
    publications?: Publication[]
  }
  unsubscribe?: object
  publish?: object
  refresh?: { client: string; version: string; expires?: boolean; ttl?: number }
  history?: { publications: Publication[]; epoch: string; offset: number }
  rpc?: { data: Record<string, unknown> }
  push?: {
    channel?: string
    pub?: Publication
    unsubscribe?: { code: number; reason: string }
    disconnect?: { code: number; reason: string; reconnect?: boolean }
  }
}
