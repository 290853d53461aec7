import { allowedText } from './decode.ts'
import { formatDuration } from './duration.ts'
import { configKeys, keysOf } from './keys.ts'
import type { ConfigKey } from './keys.ts'

const heading = `# Configuration

Defaults, then a file, then the environment, then flags: the later one wins. The file is \`holdfast.yaml\` in the working
directory, or the one that \`--config FILE\` names, in YAML or JSON. Every key below is \`section.name\`: nested in the file,
\`HOLDFAST_SECTION_NAME\` in the environment, \`--section.name\` as a flag. An empty variable sets nothing.

- Durations are texts such as \`250ms\`, \`5s\` or \`1h30m\`.
- Lists in the environment are JSON; lists of texts may also be separated by commas.
- Secrets are never flags and never printed. For each, and for \`log\` and \`store\`, \`NAME_FILE\` in the environment names a
  file that holds the value.
- A file that Centrifugo v6 runs is read. Keys that we lack, whether Centrifugo has them or nobody, are warnings, as they
  are there; one that looks like a slip of the hand is an error that names the nearest. A key of Centrifugo that restricts
  what clients may do, or tells who they are, is honoured or is an error, never ignored (TLS, public keys, proxies that
  ask a backend, connection limits). A variable \`HOLDFAST_…\` that nobody knows is a warning.
- \`holdfast config check\` tells what is wrong, \`holdfast config print\` what is in force.

Under \`holdfast dev\` without a file, channels without a namespace let authenticated clients subscribe, and subscribers
publish and read history, with \`history_size\` 100, \`history_ttl\` 300s and \`force_recovery\`. It also sets
\`topics.retention\` to 1m.

This page is made from the schema: \`holdfast config docs > docs/configuration.md\`.
`

/** The default as a person would write it. */
export function defaultText(key: ConfigKey): string {
  if (key.kind === 'duration') return formatDuration(key.default as number)
  return typeof key.default === 'string' ? key.default : JSON.stringify(key.default)
}

const cell = (text: string) => text.replaceAll('|', '\\|')
const code = (text: string) => (text === '' ? '' : `\`${text}\``)

function table(keys: readonly ConfigKey[], withEnv: boolean): string {
  const columns = ['key', 'default', 'allowed', 'what it does', ...(withEnv ? ['variable'] : [])]
  const rows = keys.map((key) => {
    const kept = key.secret ? `${key.description} Secret.` : key.description
    const cells = [code(key.path), code(defaultText(key)), allowedText(key), kept, ...(withEnv ? [code(key.env)] : [])]
    return `| ${cells.map(cell).join(' | ')} |`
  })
  return [`| ${columns.join(' | ')} |`, `|${' --- |'.repeat(columns.length)}`, ...rows].join('\n')
}

/** The page docs/configuration.md. */
export function configDocs(): string {
  const sections = Object.entries(
    Object.groupBy(configKeys, ({ path }) => (path.includes('.') ? path.slice(0, path.indexOf('.')) : 'general')),
  )
  const pages = sections.map(([name, keys]) => `\n## ${name}\n\n${table(keys ?? [], true)}\n`)
  const lists = configKeys.filter((key) => key.kind === 'items')
  const items = lists.map(
    ({ path, schema }) => `\n## ${path}[]\n\n${table(keysOf(schema.items!.properties!), false)}\n`,
  )
  return `${heading}${pages.join('')}${items.join('')}`
}
