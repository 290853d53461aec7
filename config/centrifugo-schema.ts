import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

/**
 * Makes centrifugo-keys.json from the schema that Centrifugo publishes with every version, as its own command prints it:
 *
 *     centrifugo configdoc --markdown | node config/centrifugo-schema.ts 6.9.1 > config/centrifugo-keys.json
 */

/** The paths of keys in that page, one heading each; `[]` stands for the items of a list. */
export function keysOfPage(markdown: string): string[] {
  const headings = markdown.matchAll(/^#+ `([a-z0-9_.[\]]+)`$/gm)
  return Array.from(headings, ([, path]) => path!).toSorted()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const keys = keysOfPage(await text(process.stdin))
  process.stdout.write(`${JSON.stringify({ version: process.argv[2], keys }, null, 2)}\n`)
}
