/** Proves that the project's own documents and comments name files that are there. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import t from 'tap'

const root = new URL('../../', import.meta.url)
const folders =
  'apps|bench|cli|cluster|compose|config|controller|docs|engine|log|observability|platform|protocol|proxy|schema|store|test|worker'
/** A path from the root, as text of ours names it. */
const mention = new RegExp(
  `(?<![\\w./-])(?:${folders})/(?:[\\w.-]+/)*[\\w-]+\\.(?:test\\.ts|long\\.ts|ts|js|sql|yaml|md|cfg|sh)\\b`,
  'g',
)
const files = globSync([`{${folders.replaceAll('|', ',')}}/**/*.{ts,md}`, '*.md'], { cwd: root })

void t.test('every file that is named is there', async (t) => {
  t.ok(files.length > 300)
  const missing = files.flatMap((file) =>
    [...readFileSync(new URL(file, root), 'utf8').matchAll(mention)]
      .filter(([path]) => !existsSync(new URL(path, root)))
      .map(([path]) => `${file} names ${path}`),
  )
  t.strictSame(missing, [])
})
