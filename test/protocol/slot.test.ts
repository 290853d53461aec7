/** Proves the one way in which a slot is written: what is made of a group and a partition is read as these. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { isSlotId, parseSlot, slotId } from '../../protocol/slot.ts'
import { holds } from '../support/holds.ts'

void t.test('a slot is its group and its partition, whatever the group is called', async (t) => {
  t.equal(slotId('default', 7), 'default/7')
  const anyGroup = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '/', 'a/b', 'default/7'))
  holds(
    t,
    fc.property(anyGroup, fc.nat(), (group, partition) => {
      const slot = slotId(group, partition)
      assert.ok(isSlotId(slot))
      assert.deepEqual(parseSlot(slot), { group, partition })
    }),
  )
})

void t.test('nothing else names one', async (t) => {
  for (const text of ['', 'default', 'default/', '7', 'default/-1', 'default/1.5', 'default/7 ', 'default/x', 7, null])
    t.notOk(isSlotId(text), String(text))
})
