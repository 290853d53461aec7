/** Proves that positions order all events of a slot: by incarnation, then offset, then index. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { isAfter } from '../../../protocol/records/position.ts'
import { holds } from '../../support/holds.ts'

const small = fc.integer({ min: 0, max: 3 })
const position = fc.record({ incarnation: small, offset: small, index: small })

void t.test('positions are totally ordered', async (t) => {
  holds(
    t,
    fc.property(position, position, position, (a, b, c) => {
      const same = a.incarnation === b.incarnation && a.offset === b.offset && a.index === b.index
      assert.equal(Number(isAfter(a, b)) + Number(isAfter(b, a)), same ? 0 : 1)
      if (isAfter(a, b) && isAfter(b, c)) assert.ok(isAfter(a, c))
    }),
  )
})

void t.test('the incarnation counts most, the index least; anything comes after nothing', async (t) => {
  t.ok(isAfter({ incarnation: 1, offset: 0, index: 0 }, { incarnation: 0, offset: 9, index: 9 }))
  t.ok(isAfter({ incarnation: 0, offset: 1, index: 0 }, { incarnation: 0, offset: 0, index: 9 }))
  t.ok(isAfter({ incarnation: 0, offset: 0, index: 1 }, { incarnation: 0, offset: 0, index: 0 }))
  t.ok(isAfter({ incarnation: 0, offset: 0, index: 0 }, undefined))
})
