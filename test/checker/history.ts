import { writeFileSync } from 'node:fs'

/**
 * What clients did and saw, in the order in which one recorder saw it. The order of the list is what the rules go by;
 * `at` (milliseconds, monotonic) serves durations and windows.
 */

/** How a subscribe with a position ended; `none`: there was no position to recover from. */
export type Recovery = 'none' | 'recovered' | 'failed'

export interface Opened {
  kind: 'opened'
  at: number
  client: string
}

export interface Closed {
  kind: 'closed'
  at: number
  client: string
  code: number
  reason: string
}

/** `offset` is the position from which the client goes on: the next publication is offset + 1. */
export interface Subscribed {
  kind: 'subscribed'
  at: number
  client: string
  channel: string
  epoch: string
  offset: number
  recovery: Recovery
}

export interface Unsubscribed {
  kind: 'unsubscribed'
  at: number
  client: string
  channel: string
  code: number
  reason: string
}

/** The client unsubscribed by itself. */
export interface Left {
  kind: 'left'
  at: number
  client: string
  channel: string
}

/** One attempt to send `message`; attempts after the first carry the same idempotency key. */
export interface Send {
  kind: 'send'
  at: number
  client: string
  channel: string
  message: string
  attempt: number
  body: string
}

/** The place is null when the answer names none (a plain publish). */
export interface Acknowledged {
  kind: 'acknowledged'
  at: number
  client: string
  channel: string
  message: string
  attempt: number
  place: { epoch: string; offset: number } | null
}

/** An internal error, a timeout, a socket that closed before the answer: it may have happened or not. */
export interface Maybe {
  kind: 'maybe'
  at: number
  client: string
  channel: string
  message: string
  attempt: number
  reason: string
}

/** Every other error: it did not happen. */
export interface Refused {
  kind: 'refused'
  at: number
  client: string
  channel: string
  message: string
  attempt: number
  code: number
  reason: string
}

export interface Delivery {
  kind: 'delivery'
  at: number
  client: string
  channel: string
  epoch: string
  offset: number
  message: string
  body: string
  /** False when it came live. */
  recovered: boolean
}

/** One message of the final read. */
export interface Stored {
  kind: 'stored'
  at: number
  channel: string
  epoch: string
  offset: number
  message: string
  body: string
}

/** A channel was read to its end, and this is what the store calls its top. */
export interface StoreRead {
  kind: 'store-read'
  at: number
  channel: string
  epoch: string
  top: number
}

/** While a window is open, the server may close sockets, and take clients out of channels, with one of its codes. */
export interface WindowOpened {
  kind: 'window-opened'
  at: number
  name: string
  codes: number[]
}

export interface WindowClosed {
  kind: 'window-closed'
  at: number
  name: string
}

/** The last fault is over: from here on everything is answered in time. */
export interface Healed {
  kind: 'healed'
  at: number
}

/** What was done to the cluster, for whoever reads the history. */
export interface Note {
  kind: 'note'
  at: number
  text: string
}

export type Outcome = Acknowledged | Maybe | Refused

export type Operation =
  | Opened
  | Closed
  | Subscribed
  | Unsubscribed
  | Left
  | Send
  | Outcome
  | Delivery
  | Stored
  | StoreRead
  | WindowOpened
  | WindowClosed
  | Healed
  | Note

/** A history as JSON lines, so that a failing run can be checked again. */
export function toJsonLines(operations: Operation[]): string {
  return operations.map((operation) => `${JSON.stringify(operation)}\n`).join('')
}

/** Reads what toJsonLines() wrote. */
export function fromJsonLines(text: string): Operation[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Operation)
}

/** Writes a history to a file, one operation a line. */
export function writeHistory(path: string, operations: Operation[]): void {
  writeFileSync(path, toJsonLines(operations))
}
