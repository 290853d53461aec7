// Proves what a proxy may have on its way: whatever comes and goes, no limit is passed, one channel never fills its slot
// and one slot never fills the proxy, and the largest message that a client may send always fits an empty channel.
import * as fc from 'fast-check'
import t from 'tap'
import { configKeys } from '../../../config/keys.ts'
import type { SlotId } from '../../../protocol/slot.ts'
import { InFlight, commandOverheadBytes, shares } from '../../../proxy/uplink/in-flight.ts'
import { holds } from '../../support/holds.ts'

const limits = { commands: 16, bytes: 1_600 }

t.test('within every limit', async (t) => {
  const step = fc.record({
    slot: fc.constantFrom('default/0', 'default/1', 'default/2'),
    channel: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    bytes: fc.integer({ min: 1, max: 120 }),
    leaves: fc.boolean(),
  })
  holds(
    t,
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const inFlight = new InFlight(limits)
      const held: (typeof steps)[number][] = []
      const sum = (fits: (each: (typeof steps)[number]) => boolean) =>
        held.filter(fits).reduce((total, { bytes }) => total + bytes, 0)
      for (const each of steps) {
        const { slot, channel, bytes, leaves } = each
        if (leaves) {
          const gone = held.shift()
          if (gone) inFlight.change(gone.slot, gone.channel, -1, -gone.bytes)
        } else if (inFlight.fits(slot, channel, bytes)) {
          inFlight.change(slot, channel, 1, bytes)
          held.push(each)
        }
        const inSlot = held.filter((one) => one.slot === slot)
        const inChannel = inSlot.filter((one) => one.channel === channel)
        const ok =
          inSlot.length <= limits.commands &&
          inChannel.length <= limits.commands * shares.channel &&
          sum(() => true) <= limits.bytes &&
          sum((one) => one.slot === slot) <= limits.bytes * shares.slot &&
          sum((one) => one.slot === slot && one.channel === channel) <= limits.bytes * shares.slot * shares.channel
        const isCounted = inFlight.total.commands === held.length && inFlight.total.bytes === sum(() => true)
        if (!ok || !isCounted) return false
      }
      return true
    }),
  )
})

t.test('one channel leaves room for others, one slot for other slots', async (t) => {
  const inFlight = new InFlight(limits)
  const fill = (slot: SlotId, channel: string) => {
    while (inFlight.fits(slot, channel, 20)) inFlight.change(slot, channel, 1, 20)
  }
  fill('default/0', 'a')
  t.ok(inFlight.fits('default/0', 'b', 100))
  for (const channel of ['b', 'c', 'd', 'e']) fill('default/0', channel)
  t.notOk(inFlight.fits('default/0', 'f', 1), 'the slot is full')
  t.ok(inFlight.fits('default/1', 'f', 100))
})

t.test('the largest message fits', async (t) => {
  const bound = (path: string, which: 'minimum' | 'maximum') =>
    configKeys.find((key) => key.path === path)!.schema[which] as number
  const least = bound('proxy.in_flight_bytes_max', 'minimum') * shares.slot * shares.channel
  t.ok(bound('websocket.message_size_limit', 'maximum') + commandOverheadBytes < least)
})
