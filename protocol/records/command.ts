import type { TraceContext } from '../trace.ts'
import { decodeEnvelope, encodeEnvelope } from './envelope.ts'
import { FormatError } from './errors.ts'
import { traced } from './members.ts'
import { checkShape, shapeOf } from './shape.ts'

/**
 * A command on its way from a proxy to the slot of its channel. Time and seed are fixed when it enters the log and
 * everything that is made from it (ids, times, channel epochs) derives from them, so replay gives the same result.
 */
export interface CommandRecord {
  /** Who numbers: a proxy generation, `instance.generation`, or a controller. */
  producer: string
  /** Rises per producer and slot; a worker drops what is not above the last one it saw. */
  n: number
  /** Where replies go. */
  instance: string
  /** Empty for commands of the proxy itself. */
  session: string
  /** Who sends it; '' for a user without a name, and for commands of the proxy itself. */
  user: string
  /** Empty where a command concerns the whole slot. */
  channel: string
  /** One of RuntimeRequest's is answered by the slot itself, every other one by the app. */
  method: string
  /** Milliseconds since 1970 when it entered. */
  time: number
  /** Hex; the source of every id made from this command. */
  seed: string
  /** What the namespace of the channel allows history to show. */
  history: { size: number; ttlMs: number }
  /** JSON of the connection's info, or null. */
  connInfo: string | null
  /** Whoever asks puts a large answer together from its parts; proxies of older versions do not. */
  takesParts: boolean
  /** Absent when nobody traces it. */
  trace?: TraceContext | undefined
  /** What the method brings: JSON of the app's methods, as runtime.ts has it of the runtime's. */
  payload: Buffer
}

/** What a command has no use for that asks a slot itself and that no user sent. */
export const ofNobody = {
  session: '',
  user: '',
  connInfo: null,
  history: { size: 0, ttlMs: 0 },
} as const satisfies Partial<CommandRecord>

interface Header {
  p: string
  n: number
  i: string
  s: string
  u: string
  c: string
  m: string
  t: number
  r: string
  h: [number, number]
  ci?: string
  ap?: 1
  tp?: TraceContext | undefined
}

/** The record of a command: its header's members are named by one or two letters, as Header has them. */
export function encodeCommand(command: CommandRecord): Buffer {
  const header: Header = {
    p: command.producer,
    n: command.n,
    i: command.instance,
    s: command.session,
    u: command.user,
    c: command.channel,
    m: command.method,
    t: command.time,
    r: command.seed,
    h: [command.history.size, command.history.ttlMs],
    // One that is undefined is not in the JSON.
    tp: command.trace,
  }
  if (command.connInfo !== null) header.ci = command.connInfo
  if (command.takesParts) header.ap = 1
  return encodeEnvelope(header, command.payload)
}

const headerShape = shapeOf({
  p: 'text',
  n: 'count',
  i: 'text',
  s: 'text',
  u: 'text',
  c: 'text',
  m: 'text',
  t: 'count',
  r: 'text',
  h: 'list',
  ci: 'text?',
  ap: 'count?',
})

/** The inverse of encodeCommand. Throws FormatError. */
export function decodeCommand(value: Buffer): CommandRecord {
  const { header: read, payload } = decodeEnvelope(value)
  checkShape(read, headerShape, 'command')
  const header = read as unknown as Header
  if (header.h.length !== 2 || !header.h.every(Number.isSafeInteger)) {
    throw new FormatError('command: h is not a size and a time')
  }
  return {
    producer: header.p,
    n: header.n,
    instance: header.i,
    session: header.s,
    user: header.u,
    channel: header.c,
    method: header.m,
    time: header.t,
    seed: header.r,
    history: { size: header.h[0], ttlMs: header.h[1] },
    connInfo: header.ci ?? null,
    takesParts: header.ap === 1,
    ...traced(header.tp),
    payload,
  }
}
