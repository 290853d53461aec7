/** Proves that a value fits a schema exactly when TypeBox says so, for every setting and whatever the value. */
import * as fc from 'fast-check'
import t from 'tap'
import { Check } from 'typebox/schema'
import { configKeys } from '../../config/keys.ts'
import { fits } from '../../schema/fits.ts'
import { Type } from '../../schema/type.ts'

/** Values near the bounds of a setting, beside any value at all. */
function values(key: (typeof configKeys)[number]): fc.Arbitrary<unknown> {
  const { minimum = 0, maximum = 0, enum: choices = [] } = key.schema
  const bounds = [minimum - 1, minimum, minimum + 0.5, maximum, maximum + 1, key.default, ...choices]
  const length = key.schema.items === undefined ? 3 : 2
  const item = fc.record(
    { name: fc.oneof(fc.string(), fc.stringMatching(/^[a-z][-a-z0-9_]{0,70}$/)) },
    { requiredKeys: [] },
  )
  return fc.oneof(
    fc.constantFrom(...bounds),
    fc.jsonValue(),
    fc.string({ unit: 'binary', maxLength: 1_100, size: 'max' }),
    fc.stringMatching(/^[-a-zA-Z0-9._+]{0,70}$/),
    fc.array(fc.oneof(item, fc.string()), { maxLength: length }),
  )
}

for (const key of configKeys) {
  void t.test(key.path, async () => {
    fc.assert(
      fc.property(values(key), (value) => fits(key.schema, value) === Check(key.schema, value)),
      { numRuns: 100 },
    )
  })
}

void t.test('members of objects are held to their schemas, and what is not optional must be there', async (t) => {
  const schema = Type.Object({ port: Type.Integer({ minimum: 1 }), name: Type.Optional(Type.String()) })
  t.ok(fits(schema, { port: 1 }))
  t.ok(fits(schema, { port: 1, name: 'a', more: true }))
  for (const wrong of [{}, { name: 'a' }, { port: 0 }, { port: 1, name: 2 }, { port: undefined }, [], null, 'text'])
    t.notOk(fits(schema, wrong))
})
