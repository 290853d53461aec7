import type { StoreEnv } from '../../cluster/env.ts'
import { untilAnswered } from '../../cluster/until-answered.ts'
import type { LogRange, LogReader, LogRecord } from '../../log/log.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { isFurther, parseSlot } from '../../protocol/slot.ts'
import type { SlotPlace, SlotId } from '../../protocol/slot.ts'
import type { Acquire, Lease, SlotState } from '../../store/store.ts'
import { carefulFrom } from '../../store/store.ts'
import { channelsOf, commandsOf, fingerprintOf, readBatch } from './batch.ts'
import { Halted } from './errors.ts'
import { ChannelCache, channelFrom, memoryOf } from './memory.ts'
import type { SlotMemory } from './memory.ts'
import type { Suspicion } from './trial.ts'

/** Times that a record may be tried alone before it is set aside (delivery: poison). */
export const triesMax = 3

/** A slot that is about to be taken over: its state loaded and its log followed, but nothing handled. */
export interface WarmSlot {
  slot: SlotId
  /** As it was when warming began. */
  lease: Lease
  /** Of the slot when its channels were loaded. */
  place: SlotPlace
  /** Where reading began; the record before the place to go on from is needed too. */
  from: number
  reader: LogReader
  cache: ChannelCache
}

/** Null when stopped meanwhile. */
export async function warm(
  env: StoreEnv,
  slot: SlotId,
  cacheMax: number,
  stopped: () => boolean,
): Promise<WarmSlot | null> {
  const { group, partition } = parseSlot(slot)
  const request = () =>
    Promise.all([
      env.store.lease(slot),
      env.store.activeChannels(slot, cacheMax),
      env.log.range(commandTopic(group), partition),
    ])
  const answers = await untilAnswered(env, request, stopped)
  if (answers === null) return null
  // Their place is of the same moment: what is committed from there on is dropped from the cache.
  const [lease, { place, channels }, range] = answers
  const from = Math.min(Math.max(place.nextOffset - 1, range.oldest), range.next)
  const cache = new ChannelCache(cacheMax)
  for (const channel of channels) cache.set(channelFrom(channel, new Set()))
  return { slot, lease, place, from, reader: env.log.read(commandTopic(group), partition, from), cache }
}

/** A slot that is owned and ready to go on. */
export interface TakenSlot {
  memory: SlotMemory
  state: SlotState
  cache: ChannelCache
  reader: LogReader
  /** Records read already, from nextOffset on. */
  records: LogRecord[]
  suspicion: Suspicion
}

/** Why the log does not go on where the store ends, or null. */
export function haltReason(nextOffset: number, range: LogRange): string | null {
  if (range.next < nextOffset) return `the log ends at ${range.next}, before the next record ${nextOffset}`
  if (range.oldest > nextOffset) return `the log begins at ${range.oldest}, after the next record ${nextOffset}`
  return null
}

/** Who takes a slot, from which epoch on, and how far the slot is known to have been. */
export interface TakeAs {
  owner: string
  version: string
  epoch: number
  announced: SlotPlace | null
}

/**
 * Becomes the owner, if the lease is still at `epoch`. Null when it is not. Rejects with Halted when the slot is ours
 * but cannot go on.
 */
export async function take(
  env: StoreEnv,
  warmed: WarmSlot,
  as: TakeAs,
  stopped: () => boolean,
): Promise<TakenSlot | null> {
  const { slot, cache } = warmed
  const announced = furthest(as.announced, warmed.place)
  const state = await acquire(env, warmed.lease, { ...as, announced }, stopped)
  if (state === null) return null
  const memory = memoryOf(state)
  const { nextOffset, fingerprint } = memory
  if (state.wentBack) {
    env.metrics.storesWentBack.inc()
    env.logger.fatal(
      { slot, nextOffset, announced },
      'the store went back in time: what it lost comes again from the log',
    )
  }
  // What was loaded may have been lost since, whoever found that out: in another incarnation none of it holds.
  if (memory.lease.incarnation !== warmed.place.incarnation) cache.clear()
  const { group, partition } = parseSlot(slot)
  const range = await untilAnswered(env, () => env.log.range(commandTopic(group), partition), stopped)
  if (range === null) return null
  const halt = haltReason(nextOffset, range)
  if (halt) throw new Halted(halt)

  // A person's reset, or the store, may have gone back since warming began.
  const from = Math.max(nextOffset - 1, range.oldest)
  const isBack = from < warmed.from
  if (isBack) warmed.reader.close()
  const reader = isBack ? env.log.read(commandTopic(group), partition, from) : warmed.reader

  // What was handled since warming began has changed the channels it names.
  const records = await readUpTo(reader, isBack ? from : warmed.from, nextOffset)
  const handled = records.filter((record) => record.offset < nextOffset)
  const before = handled.at(-1)
  if (range.oldest < nextOffset && fingerprint !== null && before && fingerprintOf(before.value) !== fingerprint) {
    throw new Halted(`the record at ${nextOffset - 1} is not the one that was handled`)
  }
  const touched = readBatch({ producers: new Map(), tombstones: new Set() }, handled)
  if (commandsOf(touched).some(({ request }) => request?.method === 'gone')) cache.clear()
  else for (const name of channelsOf(touched)) cache.delete(name)
  for (const instance of memory.tombstones) cache.forgetInstance(instance)

  const hasRecord = range.next > nextOffset
  const { attempts } = state.lease
  const isTriedEnough = state.tried === nextOffset && attempts >= carefulFrom + triesMax
  return {
    memory,
    state,
    cache,
    reader,
    records: records.filter((record) => record.offset >= nextOffset),
    suspicion: {
      carefulUntil: attempts >= carefulFrom && hasRecord ? range.next : null,
      setAside: isTriedEnough ? nextOffset : null,
    },
  }
}

/** The lease is asked for again only when what was seen does not hold any more: rooms wait meanwhile. */
async function acquire(
  env: StoreEnv,
  { slot, ...warmed }: Lease,
  { owner, version, epoch, announced }: TakeAs,
  stopped: () => boolean,
): Promise<SlotState | null> {
  let seen: Omit<Lease, 'slot'> = warmed
  let expected = epoch
  let wentBack = false
  while (seen.epoch === expected) {
    const token = env.random.hex(16)
    const asked: Acquire = { slot, seen, token, owner, version, announced }
    const state = await untilAnswered(env, () => env.store.acquire(asked), stopped)
    if (state !== null) return { ...state, wentBack: wentBack || state.wentBack }
    const now = await untilAnswered(env, () => env.store.lease(slot), stopped)
    if (now === null) return null
    if (now.token === token) {
      // Ours, with the answer lost on the way, and with it that the incarnation was raised.
      wentBack ||= now.incarnation > seen.incarnation
      expected = now.epoch
    }
    // Or a person reset it meanwhile: then the epoch is the same.
    seen = now
  }
  return null
}

function furthest(announced: SlotPlace | null, seen: SlotPlace): SlotPlace {
  return announced !== null && isFurther(announced, seen) ? announced : seen
}

/** Reads until the record before `nextOffset` has been seen; from there on the reader is left to its owner. */
async function readUpTo(reader: LogReader, from: number, nextOffset: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  let at = from
  while (at < nextOffset) {
    const more = await reader.next()
    records.push(...more)
    at = more.at(-1)!.offset + 1
  }
  return records
}
