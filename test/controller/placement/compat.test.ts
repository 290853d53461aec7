// Proves which versions get no slots because of what they and the cluster read and write.
import t from 'tap'
import { unfitReason, unfitVersions } from '../../../controller/placement/compat.ts'
import type { Formats } from '../../../protocol/records/formats.ts'

const formats = (records: [number, number], tables?: [number, number]): Formats => ({
  records: { min: records[0], max: records[1] },
  ...(tables && { tables: { min: tables[0], max: tables[1] } }),
})
const others = [{ version: 'v2', formats: formats([1, 2], [3, 7]) }]

t.test('a version that knows what the others write fits, and one that says nothing is taken to', async (t) => {
  t.equal(unfitReason('v3', formats([1, 2], [3, 8]), others, undefined), null)
  t.equal(unfitReason('v3', undefined, others, undefined), null)
})

t.test('records that one of them cannot read', async (t) => {
  t.match(unfitReason('v3', formats([1, 1], [3, 8]), others, undefined), /v3 does not read the records of v2/)
  t.match(unfitReason('v3', formats([2, 3], [3, 8]), others, undefined), /v2 does not read the records of v3/)
})

t.test('a version that is too old for the tables: there is no way back to it', async (t) => {
  t.match(unfitReason('v1', formats([1, 2], [1, 2]), others, undefined), /the tables need a program that knows 3/)
  t.equal(unfitReason('v1', formats([1, 2], [1, 3]), others, undefined), null, 'but a step that only adds')
})

t.test('an operator may say less of a version than it says of itself', async (t) => {
  const any = { min: 0, max: Infinity }
  const own = formats([1, 2], [3, 8])
  t.match(
    unfitReason('v3', own, others, { records: { min: 3, max: 4 }, tables: any }),
    /v3 is said to work with 3 to 4/,
  )
  t.match(unfitReason('v3', own, others, { records: any, tables: { min: 9, max: Infinity } }), /9 and above/)
  t.equal(unfitReason('v3', own, others, { records: any, tables: { min: 8, max: 8 } }), null)
})

t.test('the version that serves is the measure for records, and for tables is measured too', async (t) => {
  const speakers = [
    { version: 'v1', formats: formats([1, 1]) },
    { version: 'v2', formats: formats([2, 2]) },
  ]
  t.same([...unfitVersions(speakers, ['v1', 'v2'], 'v1', new Map()).keys()], ['v2'])
  t.same([...unfitVersions(speakers, ['v1', 'v2'], 'v2', new Map()).keys()], ['v1'])
  const old = [
    { version: 'v1', formats: formats([1, 1], [1, 2]) },
    { version: 'v2', formats: formats([1, 1], [3, 7]) },
  ]
  t.same([...unfitVersions(old, ['v1', 'v2'], 'v1', new Map()).keys()], ['v1'])
})
