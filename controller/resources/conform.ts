import type { TSchema } from 'typebox'
import { formatDuration, parseDuration } from '../../config/duration.ts'
import { nearest } from '../../config/nearest.ts'
import { compilePattern } from '../../config/pattern.ts'
import { finding, pathText } from './finding.ts'
import type { Finding, Path, RuleCode } from './finding.ts'
import type { SchemaNode } from './schema.ts'

/** Whose value it is, and what is known of fields that it must not have. */
export interface Conforming {
  /** As in a finding. */
  resource: string
  /** What to use instead of a field that others have, by its path with `[]` for places in lists. */
  insteadOf: (path: string) => string | undefined
}

/** The longest duration that is allowed: a year. */
const durationMaxMs = 8_760 * 3_600_000

/** What is shown of a value that is not allowed. */
const shownMax = 60

/** A value held to a schema: with its defaults where nothing is wrong, and what is wrong. */
export function conform(schema: TSchema, value: unknown, about: Conforming): { value: unknown; findings: Finding[] } {
  const walk = new Walk(about)
  const found = walk.value(schema, value, [])
  return { value: found, findings: walk.findings }
}

class Walk {
  readonly findings: Finding[] = []
  readonly #about: Conforming

  constructor(about: Conforming) {
    this.#about = about
  }

  value(node: SchemaNode, value: unknown, path: Path): unknown {
    const { type } = node
    if (node.enum) return this.#choice(node, value, path)
    if (node.patternProperties) return this.#texts(node, value, path)
    if (type === 'object') return this.#object(node, value, path)
    if (type === 'array') return this.#list(node, value, path)
    if (type === 'integer' || type === 'number') return this.#number(node, value, path)
    if (type === 'boolean') return typeof value === 'boolean' ? value : this.#wrong(value, path, 'true or false')
    // Argo counts seconds where a duration is a number.
    if (Array.isArray(type) && typeof value === 'number') return this.#seconds(value, path)
    return this.#text(node, value, path)
  }

  #object(node: SchemaNode, value: unknown, path: Path): unknown {
    if (!isObject(value)) return this.#wrong(value, path, 'an object')
    const properties = node.properties ?? {}
    const known = Object.keys(properties)
    const result: Record<string, unknown> = {}
    for (const key of Object.keys(value)) if (!known.includes(key)) this.#unknown(key, known, path)
    const isOneOf = node.maxProperties === 1
    if (isOneOf && Object.keys(value).filter((key) => known.includes(key)).length !== 1)
      this.#say('HFT0007', path, `exactly one of ${known.join(', ')}`)
    for (const [key, child] of Object.entries(properties)) {
      const at = [...path, key]
      if (Object.hasOwn(value, key)) result[key] = this.value(child, value[key], at)
      else if (child.default !== undefined) result[key] = this.value(child, child.default, at)
      else if (!isOneOf && node.required?.includes(key))
        this.#say('HFT0005', at, `is missing: ${child.description ?? 'it must be there'}`)
    }
    return result
  }

  /** Whatever names, as labels have. */
  #texts(node: SchemaNode, value: unknown, path: Path): unknown {
    if (!isObject(value)) return this.#wrong(value, path, 'an object of texts')
    const entries = Object.entries(value)
    if (entries.length > (node.maxProperties ?? Infinity))
      return this.#wrong(value, path, `at most ${node.maxProperties} texts`)
    const [child] = Object.values(node.patternProperties ?? {})
    return Object.fromEntries(entries.map(([key, each]) => [key, this.value(child!, each, [...path, key])]))
  }

  #list(node: SchemaNode, value: unknown, path: Path): unknown {
    if (!Array.isArray(value)) return this.#wrong(value, path, 'a list')
    const { minItems = 0, maxItems = Infinity } = node
    if (value.length < minItems) return this.#wrong(value, path, `a list of at least ${minItems}`)
    if (value.length > maxItems) return this.#wrong(value, path, `a list of at most ${maxItems}`)
    return value.map((item, index) => this.value(node.items!, item, [...path, index]))
  }

  #choice(node: SchemaNode, value: unknown, path: Path): unknown {
    const choices = node.enum!
    if (typeof value === 'string' && choices.includes(value)) return value
    return this.#wrong(value, path, choices.join(', '))
  }

  #number(node: SchemaNode, value: unknown, path: Path): unknown {
    const { minimum = -Infinity, maximum = Infinity } = node
    const isWhole = node.type === 'integer'
    const fits = typeof value === 'number' && Number.isFinite(value) && (!isWhole || Number.isSafeInteger(value))
    if (fits && value >= minimum && value <= maximum) return value
    return this.#wrong(value, path, `a ${isWhole ? 'whole ' : ''}number from ${minimum} to ${maximum}`)
  }

  #text(node: SchemaNode, value: unknown, path: Path): unknown {
    if (node.duration) return this.#duration(value, path)
    const { minLength = 0, maxLength = Infinity, pattern, allowed } = node
    if (typeof value !== 'string') return this.#wrong(value, path, allowed ?? 'a text')
    if (value.length < minLength) return this.#wrong(value, path, allowed ?? 'a text that is not empty')
    if (value.length > maxLength) return this.#wrong(value, path, `at most ${maxLength} characters`)
    if (pattern !== undefined && !new RegExp(pattern).test(value)) return this.#wrong(value, path, allowed ?? pattern)
    if (node.regex) this.#expression(value, path)
    return value
  }

  #duration(value: unknown, path: Path): unknown {
    const ms = typeof value === 'string' ? parseDuration(value) : undefined
    if (ms !== undefined && ms <= durationMaxMs) return value
    return this.#wrong(value, path, `a duration such as 250ms, 5s or 1h, up to ${formatDuration(durationMaxMs)}`)
  }

  #seconds(value: number, path: Path): unknown {
    if (Number.isSafeInteger(value) && value >= 0 && value * 1_000 <= durationMaxMs) return value
    return this.#wrong(value, path, `seconds, up to ${durationMaxMs / 1_000}`)
  }

  #expression(text: string, path: Path): void {
    try {
      compilePattern(text)
    } catch (error) {
      this.#say('HFT0006', path, (error as Error).message)
    }
  }

  #unknown(key: string, known: readonly string[], path: Path): void {
    const at = [...path, key.slice(0, shownMax)]
    const instead = this.#about.insteadOf(pathText(at).replaceAll(/\[\d+\]/g, '[]'))
    if (instead !== undefined) return this.#say('HFT0004', at, `Holdfast has no such field: ${instead}`)
    // The nearest of a very long name would take very long to find.
    const near = key.length > 100 ? known.join(', ') : nearest(key, known)
    this.#say('HFT0003', at, `nobody knows this field; the nearest is ${near}`)
  }

  #wrong(value: unknown, path: Path, allowed: string): undefined {
    this.#say('HFT0006', path, `${shown(value)} is not allowed; allowed: ${allowed}`)
    return undefined
  }

  #say(code: RuleCode, path: Path, message: string): void {
    this.findings.push(finding(code, this.#about.resource, path, message))
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const text = isObject(value)
    ? 'an object'
    : Array.isArray(value)
      ? 'a list'
      : (JSON.stringify(value) ?? String(value))
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}
