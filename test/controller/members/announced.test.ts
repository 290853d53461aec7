// Proves what a controller believes of how far slots have been: the furthest that anybody said, by incarnation first,
// whether owners said it or hints did.
import t from 'tap'
import { Announced } from '../../../controller/members/announced.ts'
import type { StatusRecord } from '../../../protocol/records/status.ts'
import type { SlotPlace } from '../../../protocol/slot.ts'

const slot = 'default/0'

function beat(place: SlotPlace): StatusRecord {
  const internal = { host: '127.0.0.1', port: 1 }
  const owned = { slot, epoch: 1, waitingMs: 0, ...place } as const
  const load = { slots: [owned], claimed: [], inFlight: 0, outbox: 0 }
  return {
    type: 'heartbeat',
    role: 'worker',
    id: 'w',
    pid: 1,
    version: 'v1',
    internal,
    beat: 1,
    state: 'live',
    ...load,
  }
}

function acquired(place?: SlotPlace): StatusRecord {
  const taken = { slot, epoch: 1, worker: 'w', from: null, kind: 'takeover', pauseMs: 0 } as const
  return { type: 'acquired', ...taken, ...(place && { place }) }
}

t.test('the furthest counts', async (t) => {
  const announced = new Announced()
  t.equal(announced.of(slot), null)
  const move = { type: 'move', term: 1, slot, epoch: 1, from: null, to: 'w', announced: null } as const
  for (const record of [acquired(), move, { type: 'left', role: 'worker', id: 'w' } as const]) announced.note(record)
  t.equal(announced.of(slot), null, 'an older version says nothing of it')
  const said = [
    beat({ incarnation: 0, nextOffset: 7 }),
    beat({ incarnation: 0, nextOffset: 5 }),
    acquired({ incarnation: 1, nextOffset: 3 }),
    beat({ incarnation: 0, nextOffset: 9 }),
    { ...move, announced: { incarnation: 1, nextOffset: 4 } },
    beat({ incarnation: 1, nextOffset: 4 }),
  ]
  const known = said.map((record) => {
    announced.note(record)
    return announced.of(slot)
  })
  t.same(
    known.map((place) => [place!.incarnation, place!.nextOffset]),
    [
      [0, 7],
      [0, 7],
      [1, 3],
      [1, 3],
      [1, 4],
      [1, 4],
    ],
  )
  t.equal(announced.of('default/1'), null, 'of each slot by itself')
})
