import { isScalar, parse } from 'yaml'
import type { ScalarTag, Tags } from 'yaml'

/**
 * A number in a file, with the text that stands there: to a key that takes a text `1.10` is that text, and to one that
 * takes a number it is 1.1.
 */
export class WrittenNumber {
  readonly value: number
  readonly text: string

  constructor(value: number, text: string) {
    this.value = value
    this.text = text
  }

  toString(): string {
    return this.text
  }

  toJSON(): number {
    return this.value
  }
}

/** The value of a YAML text, each of its numbers a WrittenNumber. Throws an error that says where it is wrong. */
export function parseYaml(text: string): unknown {
  return parse(text, { prettyErrors: true, customTags: (tags): Tags => tags.map(withText) })
}

function withText(tag: Tags[number]): Tags[number] {
  if (typeof tag === 'string' || !isNumberTag(tag)) return tag
  const written: ScalarTag = {
    ...tag,
    identify: (value) => value instanceof WrittenNumber,
    stringify: ({ value }) => String(value),
    resolve(text, onError, options) {
      const found = tag.resolve(text, onError, options)
      return new WrittenNumber(Number(isScalar(found) ? found.value : found), text)
    },
  }
  return written
}

function isNumberTag(tag: Exclude<Tags[number], string>): tag is ScalarTag {
  return tag.tag === 'tag:yaml.org,2002:int' || tag.tag === 'tag:yaml.org,2002:float'
}

/** The value of a JSON text, each of its numbers a WrittenNumber; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_name, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' ? new WrittenNumber(value, context?.source ?? String(value)) : value,
    )
  } catch {
    return undefined
  }
}
