/** Proves that the schema is whole: every key is described, every default is allowed, and the docs page is up to date. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { Check } from 'typebox/schema'
import { configDocs } from '../../config/docs.ts'
import { configKeys, keysOf } from '../../config/keys.ts'

void t.test('every key has a description and an allowed default', async (t) => {
  const namespaces = configKeys.find((key) => key.path === 'channel.namespaces')
  const below = keysOf(namespaces?.schema.items?.properties ?? {})
  t.ok(below.length > 5)
  for (const key of [...configKeys, ...below]) {
    t.ok(key.description.length > 10, key.path)
    // A namespace has no name until it is given one.
    if (key.path !== 'name') t.ok(Check(key.schema, key.default), key.path)
  }
})

void t.test('environment names are unique', async (t) => {
  t.equal(new Set(configKeys.map((key) => key.env)).size, configKeys.length)
  t.ok(configKeys.some((key) => key.env === 'HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY'))
})

void t.test('docs/configuration.md is what `holdfast config docs` prints', async (t) => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  t.equal(page === configDocs(), true, 'stale: run `holdfast config docs > docs/configuration.md`')
})
