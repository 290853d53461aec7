/**
 * Proves for every key: any value that it allows is read, printed and read back as the same; anything else, from a
 * file, the environment or a flag, is one ConfigError, one line that names the key and shows no secret.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import * as fc from 'fast-check'
import t from 'tap'
import { stringify } from 'yaml'
import { formatDuration } from '../../config/duration.ts'
import { ConfigError } from '../../config/errors.ts'
import { configKeys, getPath, keysOf, setPath } from '../../config/keys.ts'
import type { ConfigKey } from '../../config/keys.ts'
import { loadConfig } from '../../config/load.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { printConfig } from '../../config/print.ts'
import { holds } from '../support/holds.ts'

const cwd = t.testdir({ empty: {} })

/** Loads a file with this text. */
function loadText(text: string): LoadedConfig {
  writeFileSync(`${cwd}/holdfast.yaml`, text)
  return loadConfig({ env: {}, flags: {}, cwd })
}

const load = (options: { env?: Record<string, string>; flags?: Record<string, string> }): LoadedConfig =>
  loadConfig({ env: {}, flags: {}, cwd: `${cwd}/empty`, ...options })

/** Texts that YAML, JSON or a shell could take for something else. */
const tricky = fc.constantFrom(
  'true',
  '1',
  '0x1F',
  '1e3',
  'null',
  '~',
  ' x ',
  '- a',
  'a: b',
  '#a',
  '"',
  "'",
  '*a',
  '&a',
  '!a',
  '%',
  '@',
  '|',
  'é\u2028',
  '{}',
  '[]',
  ',',
  'a\nb',
  '\t',
)
/** What stands around a text, and line ends in it, nobody means (test/config/clean-text.test.ts). */
const anyText = fc
  .oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }), tricky)
  .filter((text) => text !== '' && text === text.trim() && !/\p{Cc}/u.test(text))

/** Values that a key allows, as a person writes them in a file. */
function allowed(key: ConfigKey): fc.Arbitrary<unknown> {
  const { minimum: min = 0, maximum: max = 0 } = key.schema
  switch (key.kind) {
    case 'integer':
      return fc.integer({ min, max })
    case 'duration':
      return fc.integer({ min, max }).map(formatDuration)
    case 'toggle':
      return fc.boolean()
    case 'choice':
      return fc.constantFrom(...(key.schema.enum ?? []))
    case 'texts':
      return key.path.endsWith('trusted')
        ? fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.0/8', 'fd00::/8')))
        : fc.array(
            fc.oneof(
              fc.domain().map((name) => `https://${name}:443/`),
              fc.constantFrom('*', 'http://*.example'),
            ),
          )
    case 'items':
      return fc.uniqueArray(namespace, { selector: ({ name }) => name, maxLength: 4 })
    case 'text':
      if (key.url) return fc.constantFrom('', 'embedded:here and there')
      if (key.path.endsWith('advertise_address')) return fc.oneof(fc.domain(), fc.constantFrom('10.0.0.7', 'fd00::7'))
      if (key.path.endsWith('_regex')) return fc.constantFrom('', '^[a-z]+$', '(?i)room', 'x{1,10}')
      return key.schema.pattern === undefined ? anyText : fc.stringMatching(new RegExp(key.schema.pattern))
  }
}

/** A text that is not just any. */
const isConstrained = ({ path, url, schema }: ConfigKey) =>
  url || /_regex$|advertise_address$/.test(path) || schema.pattern !== undefined

const namespaceKeys = keysOf(configKeys.find(({ path }) => path === 'channel.namespaces')!.schema.items!.properties!)
const namespace: fc.Arbitrary<{ name: string }> = fc
  .record(Object.fromEntries(namespaceKeys.map((key) => [key.path, allowed(key)])), {
    requiredKeys: [],
    noNullPrototype: true,
  })
  .chain((options) => fc.stringMatching(/^[-a-zA-Z0-9_.]{2,64}$/).map((name) => ({ ...options, name })))
  // What belongs together is the matter of another test.
  .map((options) => ({ ...options, force_recovery: false }))

/** Keys whose values have to fit to those of another, or lead elsewhere. */
const paired = [
  'topics.groups',
  'client.ping',
  'client.pong',
  'heartbeat_interval',
  'death_time',
  'force_recovery',
  'log',
  'store',
  'client.token.audience',
  'client.token.issuer',
]
const alone = configKeys.filter(
  (key) => !paired.some((part) => key.path === part || key.path.includes(part)) || key.path.startsWith('log_'),
)
const setting = fc.constantFrom(...alone).chain((key) => allowed(key).map((value) => ({ key, value })))

/** Several settings as the tree of a file. */
function treeOf(settings: { key: ConfigKey; value: unknown }[]): Record<string, unknown> {
  const tree = {}
  for (const { key, value } of settings) setPath(tree, key.path, value)
  return tree
}

void t.test('any allowed values are read, printed, and read back as the same', async (t) => {
  holds(
    t,
    fc.property(fc.array(setting, { maxLength: 8 }), (settings) => {
      // A secret is not printed, so there is nothing to read back.
      const open = settings.filter(({ key }) => !key.secret)
      const { config } = loadText(stringify(treeOf(open)))
      for (const { key, value } of open.filter(({ key }) => key.kind === 'integer' || key.kind === 'toggle')) {
        const last = open.findLast((each) => each.key === key)
        assert.deepEqual(getPath(config, key.path), last!.value ?? value)
      }
      assert.deepEqual(loadText(printConfig(config)).config, config)
    }),
    { numRuns: 150 },
  )
})

void t.test('texts come through every source unchanged', async (t) => {
  const keys = alone.filter((key) => key.kind === 'text' && !isConstrained(key))
  holds(
    t,
    fc.property(fc.constantFrom(...keys), anyText, (key, text) => {
      const fromFile = loadText(stringify(treeOf([{ key, value: text }])))
      for (const { config } of [fromFile, load({ env: { [key.env]: text } }), load({ flags: { [key.path]: text } })]) {
        assert.equal(getPath(config, key.path), text)
      }
    }),
    { numRuns: 200 },
  )
})

/** What loading comes to: nothing, or the one line of a ConfigError. */
function problem(load: () => unknown): string | null {
  try {
    load()
    return null
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.ok(!/[\n\r\u2028]/.test(error.message), `more than a line: ${error.message}`)
    return error.message
  }
}

const garbage = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  tricky,
  fc.double(),
  fc.constantFrom('9'.repeat(400), '1h'.repeat(200), -0, 2 ** 53, 'x'.repeat(500)),
)

void t.test('any garbage for any key is one line that names it', async (t) => {
  let refused = 0
  holds(
    t,
    fc.property(fc.constantFrom(...configKeys), garbage, (key, value) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      const tries = [
        problem(() => loadText(stringify(treeOf([{ key, value }])))),
        problem(() => load({ env: { [key.env]: text } })),
        problem(() => load({ flags: { [key.path]: text } })),
      ]
      for (const line of tries) {
        if (line === null) continue
        refused++
        const named = paired.some((part) => key.path.includes(part)) ? key.path.split('.')[0]! : key.path
        assert.ok(line.includes(named), `${key.path}: ${line}`)
        if (key.secret && text.length > 8) assert.ok(!line.includes(text), 'it shows the secret')
      }
    }),
    { numRuns: 800 },
  )
  t.ok(refused > 500, `${refused} were refused`)
})

void t.test('garbage in a namespace names the namespace', async (t) => {
  const name = fc.constantFrom(...namespaceKeys.map(({ path }) => path), 'histroy_size', '__proto__', '', 'a\nb')
  holds(
    t,
    fc.property(name, garbage, (name, value) => {
      const item = Object.defineProperty({ name: 'staff' }, name, { value, enumerable: true })
      const line = problem(() => loadText(stringify({ channel: { namespaces: [item] } })))
      if (line !== null) assert.ok(line.startsWith('channel.namespaces'), line)
      const json = JSON.stringify([item])
      const other = problem(() => load({ flags: { 'channel.namespaces': json } }))
      if (other !== null) assert.ok(other.startsWith('channel.namespaces'), other)
    }),
    { numRuns: 500 },
  )
})

void t.test('any tree, and any text for a file', async (t) => {
  const names = fc.oneof(
    fc.constantFrom(...new Set(configKeys.flatMap(({ path }) => path.split('.')))),
    fc.string(),
    tricky,
    fc.constant('__proto__'),
  )
  const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, garbage, fc.dictionary(names, tie('tree'), { maxKeys: 4 })),
    leaf: garbage,
  }))
  holds(
    t,
    fc.property(tree, (tree) => void problem(() => loadText(stringify(tree)))),
    { numRuns: 500 },
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(tricky).map((parts) => parts.join('\n')),
    fc.json(),
  )
  holds(
    t,
    fc.property(text, (text) => void problem(() => loadText(text))),
    { numRuns: 500 },
  )
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...Array.from('bcdefghij', (name, i) => `${name}: &${name} [${`*${'abcdefghij'[i]},`.repeat(9)}]`),
  ]
  t.ok(
    problem(() => loadText(bomb.join('\n'))),
    'one that unfolds without an end',
  )
  t.ok(
    problem(() => loadText('['.repeat(20_000))),
    'one that is nested without an end',
  )
  problem(() => loadText('__proto__: {polluted: 1}\nchannel: {__proto__: {polluted: 1}}'))
  t.notOk('polluted' in {}, 'nothing reaches what all objects share')
})
