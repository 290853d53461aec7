import type { FastifyInstance } from 'fastify'
import type { StoreEnv } from '../../cluster/env.ts'
import { commandTopic } from '../../protocol/records/topics.ts'
import { parseSlot } from '../../protocol/slot.ts'
import type { SlotId } from '../../protocol/slot.ts'
import type { Changes } from './changes.ts'
import { ApiError } from './errors.ts'

const resetBody = {
  type: 'object',
  required: ['slot', 'to'],
  properties: { slot: { type: 'string', maxLength: 200 }, to: { anyOf: [{ type: 'string' }, { type: 'integer' }] } },
  additionalProperties: false,
}

/** Slots, and what a person decides about one that stands still. */
export function slotRoutes(app: FastifyInstance, { store, log, logger }: StoreEnv, changes: Changes): void {
  app.get('/api/v1/slots', async () => {
    const leases = await store.leases()
    return Promise.all(
      leases.toSorted(bySlot).map(async ({ slot, owner, version, epoch, nextOffset }) => {
        const { group, partition } = parseSlot(slot)
        const { next } = await log.range(commandTopic(group), partition)
        return { slot, owner, version, epoch, next_offset: nextOffset, lag: Math.max(0, next - nextOffset) }
      }),
    )
  })

  app.post('/api/v1/slots/reset', { schema: { body: resetBody } }, async (request) => {
    const { slot: name, to } = request.body as { slot: string; to: string | number }
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
