/** The page of the resources has what the schemas say. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { resourceDocs } from '../../../controller/resources/docs.ts'
import { rules } from '../../../controller/resources/finding.ts'

void t.test('docs/resources.md is what `holdfast explain` prints', async (t) => {
  const page = readFileSync(new URL('../../../docs/resources.md', import.meta.url), 'utf8')
  t.equal(page === resourceDocs(), true, 'stale: run `holdfast explain > docs/resources.md`')
})

void t.test('the page has every rule, and fields with type, default and description', async (t) => {
  const page = resourceDocs()
  for (const code of Object.keys(rules)) t.ok(page.includes(`| \`${code}\` |`), code)
  const row = /^\| `spec\.strategy\.canary\.steps\[\]\.setWeight` \| whole number, 0 to 100 \| {2}\| Percent/m
  t.match(page, row)
  for (const [line] of page.matchAll(/^\| `spec\..*$/gm)) t.notMatch(line, /\| {2}\|$/, line)
})
