import { checkShape, shapeOf } from './shape.ts'
import type { Members } from './shape.ts'

/**
 * Commands of the app's clients, by what came of them. One that names a message that was there before, as a repeated
 * idempotency key does, counts as one that published it.
 */
export interface MethodCounters {
  /** All that were shown to the app or set aside. */
  commands: number
  /** The app could not handle them (dead letters), or answered with an internal error. */
  errors: number
  /** Answered with any other error: that is mostly their clients' doing. */
  refused: number
  /** Answered as done, without a message. */
  silent: number
  /** Published more than one message. */
  several: number
}

/** What a worker's commands came to since its process began: every number only rises. */
export interface WorkCounters {
  /** The sum of the methods'. */
  commands: number
  /** The sum of the methods'. */
  errors: number
  /** What the app did, by kind of effect. */
  effects: { publish: number; reply: number; fail: number; read: number }
  /** Answers that name another message than the one that their command published. */
  violations: number
  /** By the name that clients call them by. */
  methods: Record<string, MethodCounters>
  /** Batches by the time that the app took for them, see `timeBuckets`; zeros at the end are left out. */
  handle: number[]
  /** Batches by the time from beginning with them to having them committed. */
  batch: number[]
}

/** What a room's commands came to, since its worker began to count them. */
export interface RoomCounters extends MethodCounters {
  /** The room: its channel. */
  room: string
  /** As in WorkCounters. */
  violations: number
  /** Commands in batches that took longer than each of `lateMs`. */
  late: number[]
}

/** Upper bounds (ms) of times that are counted, each √2 times the one before; what is above the last counts beyond them. */
export const timeBuckets: readonly number[] = Array.from({ length: 41 }, (_, step) => 0.015625 * 2 ** (step / 2))

/** What a room's commands are called late at, in ms. */
export const lateMs: readonly number[] = [50, 250, 1_000]

/** Where a time is counted. */
export function timeBucket(ms: number): number {
  if (ms <= timeBuckets[0]!) return 0
  const step = Math.ceil(2 * Math.log2(ms / timeBuckets[0]!) - 1e-9)
  return Math.min(step, timeBuckets.length)
}

const workShape = shapeOf({
  commands: 'count',
  errors: 'count',
  effects: 'object',
  violations: 'count',
  methods: 'object',
  handle: 'list',
  batch: 'list',
})
const effectsShape = shapeOf({ publish: 'count', reply: 'count', fail: 'count', read: 'count' })
const methodMembers = {
  commands: 'count',
  errors: 'count',
  refused: 'count',
  silent: 'count',
  several: 'count',
} as const
const methodShape = shapeOf(methodMembers)
const roomShape = shapeOf({ ...methodMembers, room: 'text', violations: 'count', late: 'list' })

/** Throws FormatError unless they are WorkCounters. */
export function checkWork(counters: unknown): void {
  checkShape(counters, workShape, 'counters')
  checkShape(counters['effects'], effectsShape, 'effects')
  for (const method of Object.values(counters['methods'] as Members)) checkShape(method, methodShape, 'method')
  checkCounts(counters['handle'] as unknown[])
  checkCounts(counters['batch'] as unknown[])
}

/** Throws FormatError unless it is a list of RoomCounters. */
export function checkRooms(rooms: unknown[]): void {
  for (const room of rooms) {
    checkShape(room, roomShape, 'room')
    checkCounts(room['late'] as unknown[])
  }
}

/** Throws FormatError unless it has a count under each name. */
export function checkTally(tally: unknown, what: string): void {
  checkShape(tally, [], what)
  checkCounts(Object.values(tally))
}

function checkCounts(counts: unknown[]): void {
  for (const count of counts) checkShape({ count }, countShape, 'counts')
}

const countShape = shapeOf({ count: 'count' })
