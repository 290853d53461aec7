import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { StoreEnv } from '../../cluster/env.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import { Type } from '../../schema/type.ts'
import type { Changes } from './changes.ts'
import { ApiError } from './errors.ts'
import { exactly, orNull } from './shapes.ts'

const slotView = exactly({
  slot: Type.String(),
  owner: orNull(Type.String({ description: 'Id of a worker; null after a clean release.' })),
  version: orNull(Type.String({ description: 'Of the owner, or of the last one.' })),
  epoch: Type.Integer({ description: 'Rises by one with each acquisition.' }),
  next_offset: Type.Integer({ description: 'First record whose effects are not in the store.' }),
  lag: Type.Integer({ description: 'Records that wait.' }),
})
const resetBody = exactly({
  slot: Type.String({ maxLength: 200 }),
  to: Type.Union([Type.String(), Type.Integer()], { description: '`oldest`, `end` or an offset.' }),
})
const resetView = exactly({ slot: Type.String(), next_offset: Type.Integer(), incarnation: Type.Integer() })

const schemas = {
  list: { summary: 'Slots, with who owns them and how far they are.', response: { 200: Type.Array(slotView) } },
  reset: {
    summary: 'Lets a slot go on from another place of its log.',
    body: resetBody,
    response: { 200: resetView },
  },
}

/** Slots, and what a person decides about one that stands still. */
export function slotRoutes(app: FastifyInstance, { store, log, logger }: StoreEnv, changes: Changes): void {
  app.get('/api/v1/slots', { schema: schemas.list }, async () => {
    const leases = await store.leases()
    return Promise.all(
      leases.toSorted(bySlot).map(async ({ slot, owner, version, epoch, nextOffset }) => {
        const { group, partition } = parseSlot(slot)
        const { next } = await log.range(commandTopic(group), partition)
        return { slot, owner, version, epoch, next_offset: nextOffset, lag: Math.max(0, next - nextOffset) }
      }),
    )
  })

  app.post('/api/v1/slots/reset', { schema: schemas.reset }, async (request) => {
    const { slot: name, to } = request.body as Static<typeof resetBody>
    const before = (await store.leases()).find((lease) => lease.slot === name)
    if (before === undefined) throw new ApiError('unknown_slot', `no slot ${name}`)
    const { slot } = before
    const { group, partition } = parseSlot(slot)
    const range = await log.range(commandTopic(group), partition)
    const offset = to === 'oldest' ? range.oldest : to === 'end' ? range.next : offsetOf(to)
    if (!Number.isSafeInteger(offset) || offset < range.oldest || offset > range.next) {
      throw new ApiError('out_of_range', `the log of ${slot} goes from ${range.oldest} to ${range.next}`)
    }
    await changes.make(request, {
      what: 'reset slot',
      target: slot,
      before: { next_offset: before.nextOffset, incarnation: before.incarnation },
      after: { next_offset: offset, to },
    })
    logger.warn({ slot, offset }, 'slot reset by a person')
    const lease = await store.resetSlot(slot, offset)
    return { slot, next_offset: lease.nextOffset, incarnation: lease.incarnation }
  })
}

/** Of texts only plain digits are an offset: an empty one would be 0. NaN for all others. */
function offsetOf(to: string | number): number {
  return typeof to === 'number' || /^\d+$/.test(to) ? Number(to) : NaN
}

/** By group, then by number: default/2 comes before default/10. */
function bySlot(a: { slot: SlotId }, b: { slot: SlotId }): number {
  const [left, right] = [parseSlot(a.slot), parseSlot(b.slot)]
  return left.group === right.group ? left.partition - right.partition : left.group < right.group ? -1 : 1
}
