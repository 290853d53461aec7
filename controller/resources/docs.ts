import { deletedDocumentsKept, documentRevisionsKept } from '../../store/document-size.ts'
import { rules } from './finding.ts'
import { foreignFields, foreignMetadata } from './foreign-fields.ts'
import { apiVersion, kindNames, resourceKinds } from './resource.ts'
import type { ResourceKind } from './resource.ts'
import type { SchemaNode } from './schema.ts'

const heading = `# Resources

What operators write, as YAML or JSON: \`holdfast apply -f\`, \`get\`, \`describe\`, \`diff\`, \`delete\`, and \`validate\`, which
also works without a cluster. Names and defaults are those of Istio and Argo Rollouts wherever a field means the same. All
of what is applied together takes effect, or none of it. The store keeps the last ${documentRevisionsKept} revisions of each resource, those of
the ${deletedDocumentsKept} resources of a kind that were deleted last too, and who changed it (\`holdfast audit\`). A resource that is
created anew goes on from the revisions that its name had; when those are forgotten it begins above all that are.

Errors refuse, warnings do not. A field that nobody knows is an error that names the nearest.

This page is made from the schemas: \`holdfast explain > docs/resources.md\`.
`

/** The page docs/resources.md. */
export function resourceDocs(): string {
  return [heading, ...kindNames.map(kindDocs), ruleDocs(), foreignDocs()].join('\n')
}

/** The fields of one kind, and what is lacking in it. */
export function kindDocs(kind: ResourceKind): string {
  const { description, schema, aliases } = resourceKinds[kind]
  const { spec } = (schema as SchemaNode).properties!
  const names = aliases.map((alias) => `\`${alias}\``).join(', ')
  const head = `## ${kind}\n\n${description} On the command line: ${names}. \`apiVersion: ${apiVersion}\`.\n`
  const rows = fieldsOf('spec', spec!, false)
  return `${head}\n${table(['field', 'type', 'default', 'what it is'], rows)}\n`
}

function fieldsOf(path: string, node: SchemaNode, isOneOf: boolean): string[][] {
  const { properties = {}, required = [] } = node
  return Object.entries(properties).flatMap(([name, child]) => {
    const at = `${path}.${name}`
    const isNeeded = !isOneOf && required.includes(name) && child.default === undefined
    const initial = isNeeded
      ? 'must be there'
      : child.default === undefined
        ? ''
        : `\`${JSON.stringify(child.default)}\``
    const row = [`\`${at}\``, typeOf(child), initial, child.description ?? '']
    const inner = child.items ?? child
    return [row, ...fieldsOf(child.items ? `${at}[]` : at, inner, inner.maxProperties === 1)]
  })
}

function typeOf(node: SchemaNode): string {
  if (node.enum) return node.enum.map((each) => `\`${each}\``).join(', ')
  if (node.items) return `list${node.items.properties ? '' : ` of ${typeOf(node.items)}s`}`
  if (node.patternProperties) return 'texts by name'
  if (node.properties) return node.maxProperties === 1 ? 'one of' : 'object'
  if (Array.isArray(node.type)) return 'duration or seconds'
  if (node.duration) return 'duration'
  if (node.type === 'integer' || node.type === 'number')
    return `${node.type === 'integer' ? 'whole ' : ''}number, ${node.minimum} to ${node.maximum}`
  return node.type === 'boolean' ? 'true or false' : (node.allowed ?? 'text')
}

function ruleDocs(): string {
  const rows = Object.entries(rules).map(([code, [severity, text]]) => [`\`${code}\``, severity, text])
  return `## Rules\n\n${table(['rule', 'severity', 'what it is about'], rows)}\n`
}

function foreignDocs(): string {
  const rowsOf = (kind: string, fields: Readonly<Record<string, string>>) =>
    Object.entries(fields).map(([path, instead]) => [kind, `\`${path}\``, instead])
  const rows = [...rowsOf('all', foreignMetadata), ...kindNames.flatMap((kind) => rowsOf(kind, foreignFields[kind]))]
  const text = 'They are refused (`HFT0004`) with what to use instead.'
  return `## Fields that are lacking\n\n${text}\n\n${table(['kind', 'field', 'instead'], rows)}\n`
}

function table(columns: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(columns), `|${' --- |'.repeat(columns.length)}`, ...rows.map(line)].join('\n')
}
