import { RE2JS } from 're2js'

/** Characters of a pattern, so that none takes long to compile. */
export const patternLengthMax = 1_000

/** A regular expression of RE2's syntax, which is Go's: matching takes time linear in the text, whatever the pattern. */
export interface Pattern {
  /** True when it is found anywhere in the text. */
  test(text: string): boolean
}

/** Throws an Error of one line when the text is no such expression: look-around and back-references are none. */
export function compilePattern(text: string): Pattern {
  if (text.length > patternLengthMax) throw new Error(`longer than ${patternLengthMax} characters`)
  return RE2JS.compile(text)
}
