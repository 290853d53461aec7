/**
 * Proves that a member's text is what JSON.parse would read there, byte for byte as it came, whatever spacing, escapes,
 * doubled names or numbers the text has; and that depth is counted in any text.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { isDeeperThan, sliceMember, splitValues } from '../../protocol/json.ts'
import { holds } from '../support/holds.ts'

const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 })

/** A JSON string for `text`, some of its characters written as escapes. */
const stringText = (text: fc.Arbitrary<string>) =>
  fc.tuple(text, fc.infiniteStream(fc.boolean())).map(([chars, escape]) => {
    const units = Array.from({ length: chars.length }, (_, at) => chars[at]!)
    const written = units.map((unit) => {
      const plain = JSON.stringify(unit).slice(1, -1)
      return escape.next().value ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : plain
    })
    return `"${written.join('')}"`
  })

const numberText = fc.constantFrom('0', '-0', '1.0', '1e400', '-1E-7', '123456789012345678901234567890', '0.1000')
const nameText = stringText(fc.constantFrom('data', 'd"ata', 'data\\', '', '{', '__proto__', 'é', '\u2028', 'other'))

const { value: valueText } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    numberText,
    stringText(fc.string({ unit: 'binary', maxLength: 8 })),
    stringText(fc.constantFrom('"', '\\', '\\"', '}{', '],[', ':', ',')),
    tie('object'),
    tie('array'),
  ),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
    .map((items) => `[${items.map((parts) => parts.join('')).join(',')}]`),
  object: objectText(tie('value')).map(({ text }) => text),
}))

function objectText(value: fc.Arbitrary<string>) {
  const member = fc.record({ name: nameText, value, spaces: fc.tuple(space, space, space, space) })
  return fc.tuple(fc.array(member, { maxLength: 5 }), space).map(([members, inside]) => {
    const texts = members.map(({ name, value, spaces: [a, b, c, d] }) => `${a}${name}${b}:${c}${value}${d}`)
    return { text: `{${members.length === 0 ? inside : texts.join(',')}}`, members }
  })
}

void t.test('a member is the source text of what JSON.parse reads there', async (t) => {
  const wanted = fc.constantFrom('data', 'd"ata', 'data\\', '', '{', '__proto__', 'é', '\u2028', 'absent')
  holds(
    t,
    fc.property(objectText(valueText), wanted, space, space, ({ text, members }, name, before, after) => {
      const source = before + text + after
      const parsed = JSON.parse(source) as Record<string, unknown>
      const sliced = sliceMember(source, name)
      const last = members.findLast((member) => JSON.parse(member.name) === name)
      assert.equal(sliced, last?.value)
      assert.equal(Object.hasOwn(parsed, name), sliced !== undefined)
      if (sliced !== undefined) assert.deepEqual(JSON.parse(sliced), parsed[name])
    }),
    { numRuns: 500 },
  )
})

void t.test('what JSON.stringify writes, too', async (t) => {
  holds(
    t,
    fc.property(fc.json(), fc.json(), (data, other) => {
      assert.equal(sliceMember(`{"x":${other},"data":${data},"y":[${other}]}`, 'data'), data)
    }),
  )
})

void t.test('numbers, escapes and spacing inside stay as they came', async (t) => {
  for (const data of ['1.0', '12345678901234567890', '1E5', '{ "b" : 1 ,\t"a":2}', String.raw`"\u0041\/"`]) {
    t.equal(sliceMember(` { "data" :\r ${data} , "z" : 0 } `, 'data'), data)
  }
})

void t.test('of a doubled name the last counts; what is no object has no members', async (t) => {
  t.equal(sliceMember('{"data":1,"d\\u0061ta":{"data":2}}', 'data'), '{"data":2}')
  t.equal(sliceMember('{"inner":{"data":1}}', 'data'), undefined)
  for (const text of ['null', '7', '"data"', '["data",1]', '{}', ' { } ']) t.equal(sliceMember(text, 'data'), undefined)
})

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

void t.test('depth is that of the parsed value, whatever the strings in it say', async (t) => {
  holds(
    t,
    fc.property(valueText, fc.integer({ min: 0, max: 6 }), (text, limit) => {
      // Doubled names hide what stood under the first one, so the last of them is all that is left to compare.
      fc.pre(depthOf(JSON.parse(text)) === textDepth(text))
      assert.equal(isDeeperThan(text, limit), textDepth(text) > limit)
    }),
  )
  t.equal(isDeeperThan('['.repeat(65), 64), true, 'before it is known to be JSON')
  t.equal(isDeeperThan('['.repeat(64), 64), false)
  t.equal(isDeeperThan(`["${'['.repeat(99)}"]`, 1), false)
  t.equal(isDeeperThan(`["\\"${'['.repeat(99)}"]`, 1), false)
  t.equal(isDeeperThan('"\\', 0), false, 'cut short')
})

function textDepth(text: string): number {
  const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '')
  let depth = 0
  let most = 0
  for (const c of bare) {
    if (c === '{' || c === '[') most = Math.max(most, ++depth)
    else if (c === '}' || c === ']') depth--
  }
  return most
}

void t.test('values side by side are parted where they end', async (t) => {
  holds(
    t,
    fc.property(fc.array(fc.jsonValue()), fc.nat({ max: 2 }), (values, indent) => {
      const texts = values.map((value) => JSON.stringify(value, null, indent))
      for (const comma of [',', ' ,\n ']) assert.deepEqual(splitValues(texts.join(comma)), texts)
    }),
  )
  t.strictSame(splitValues(' '), [])
})
