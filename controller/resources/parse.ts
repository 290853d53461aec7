import { LineCounter, parseAllDocuments } from 'yaml'
import type { Document } from 'yaml'
import { nearest } from '../../config/nearest.ts'
import { documentBytesMax } from '../../store/document-size.ts'
import { conform } from './conform.ts'
import { finding } from './finding.ts'
import type { Finding, RuleCode } from './finding.ts'
import { insteadOf } from './foreign-fields.ts'
import { apiVersion, kindNames, resourceId, resourceKinds } from './resource.ts'
import type { Resource, ResourceKind } from './resource.ts'

/** How much one text may hold. */
export const parseMax = { bytes: 1_048_576, resources: 200, depth: 32, aliases: 20 }

/** A resource as it was written, and with its defaults filled in. */
export interface ParsedResource {
  resource: Resource
  /** As it is kept: without defaults. */
  written: Record<string, unknown>
}

/** What a text holds. Resources with an error are not among `resources`. */
export interface Parsed {
  resources: ParsedResource[]
  findings: Finding[]
}

/** YAML or JSON with one resource, several documents, or a `List`, as they are written. */
export function parseResources(text: string): Parsed {
  const parsed: Parsed = { resources: [], findings: [] }
  if (Buffer.byteLength(text) > parseMax.bytes)
    return { resources: [], findings: [unreadable(`more than ${parseMax.bytes} bytes`)] }
  const lines = new LineCounter()
  for (const document of documentsOf(text, lines, parsed.findings)) {
    const value = valueOf(document, lines, parsed.findings)
    // Comments alone, between two lines of dashes.
    if (value === null || value === undefined) continue
    for (const each of itemsOf(value)) take(each, parsed, (path) => lineOf(document, lines, path))
  }
  if (parsed.resources.length > parseMax.resources)
    return { resources: [], findings: [unreadable(`more than ${parseMax.resources} resources`)] }
  return parsed
}

/** One value, as JSON has it, held to the schema of its kind. */
export function checkResource(value: unknown): { parsed: ParsedResource | null; findings: Finding[] } {
  const refuse = (code: RuleCode, path: string[], message: string) => ({
    parsed: null,
    findings: [finding(code, '', path, message)],
  })
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('HFT0002', [], 'a resource is an object with apiVersion, kind, metadata and spec')
  const written = value as Record<string, unknown>
  if (depthOf(value) > parseMax.depth) return refuse('HFT0001', [], `nested deeper than ${parseMax.depth}`)
  const { kind } = written
  if (written['apiVersion'] !== apiVersion) {
    const given = typeof written['apiVersion'] === 'string' ? written['apiVersion'].slice(0, 100) : 'nothing'
    return refuse('HFT0002', ['apiVersion'], `${given}: the resources of Holdfast have ${apiVersion}`)
  }
  if (typeof kind !== 'string' || !kindNames.includes(kind as ResourceKind)) {
    const near = typeof kind === 'string' && kind.length < 100 ? `; the nearest is ${nearest(kind, kindNames)}` : ''
    return refuse('HFT0002', ['kind'], `no such kind, allowed: ${kindNames.join(', ')}${near}`)
  }
  const name = (written['metadata'] as { name?: unknown } | null | undefined)?.name
  const resource = resourceId({ kind, metadata: { name: typeof name === 'string' ? name.slice(0, 253) : '' } })
  const bytes = Buffer.byteLength(JSON.stringify(written))
  if (bytes > documentBytesMax)
    return { parsed: null, findings: [finding('HFT0001', resource, [], `${bytes} bytes, at most ${documentBytesMax}`)] }
  const { schema } = resourceKinds[kind as ResourceKind]
  const { value: whole, findings } = conform(schema, written, {
    resource,
    insteadOf: (path) => insteadOf(kind as ResourceKind, path),
  })
  const parsed = findings.length === 0 ? { resource: whole as Resource, written } : null
  return { parsed, findings }
}

function take(value: unknown, { resources, findings }: Parsed, lineOf: (path: string) => number | undefined): void {
  const checked = checkResource(value)
  for (const each of checked.findings) {
    const line = lineOf(each.path)
    findings.push(line === undefined ? each : { ...each, line })
  }
  if (checked.parsed === null) return
  const id = resourceId(checked.parsed.resource)
  if (resources.some(({ resource }) => resourceId(resource) === id))
    findings.push(finding('HFT0008', id, [], 'stands there twice'))
  else resources.push(checked.parsed)
}

function documentsOf(text: string, lineCounter: LineCounter, findings: Finding[]): Document[] {
  try {
    const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false })
    return Array.isArray(documents) ? documents : []
  } catch (error) {
    // A stack that nesting has overflown.
    findings.push(unreadable(firstLine(error)))
    return []
  }
}

function valueOf(document: Document, lines: LineCounter, findings: Finding[]): unknown {
  const [error] = document.errors
  if (error !== undefined) {
    findings.push({ ...unreadable(firstLine(error)), line: lines.linePos(error.pos[0]).line })
    return null
  }
  try {
    return document.toJS({ maxAliasCount: parseMax.aliases })
  } catch (error) {
    findings.push(unreadable(firstLine(error)))
    return null
  }
}

/** As kubectl prints several. */
function itemsOf(value: unknown): unknown[] {
  const { kind, items } = value as { kind?: unknown; items?: unknown }
  return kind === 'List' && Array.isArray(items) ? (items as unknown[]) : [value]
}

function lineOf(document: Document, lines: LineCounter, path: string): number | undefined {
  const steps = [...path.matchAll(/\[(\d+)\]|([^.[]+)/g)].map(([, index, key]) =>
    index === undefined ? key : Number(index),
  )
  // What is missing has the line of what it is missing from.
  for (let length = steps.length; length > 0; length -= 1) {
    const node = document.getIn(steps.slice(0, length), true) as { range?: [number, number, number] | null } | undefined
    if (node?.range) return lines.linePos(node.range[0]).line
  }
  const start = (document.contents as { range?: [number, number, number] | null } | null)?.range?.[0]
  return start === undefined ? undefined : lines.linePos(start).line
}

/** An alias may stand for what it is in: then there is no end. */
function depthOf(value: unknown): number {
  let depth = 0
  let level: unknown[] = [value]
  while (level.length > 0 && depth <= parseMax.depth) {
    if (level.length > parseMax.bytes) return Infinity
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
    depth += 1
  }
  return depth
}

function unreadable(message: string): Finding {
  return finding('HFT0001', '', [], message)
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n')[0]!
}
