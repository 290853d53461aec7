/**
 * JSON text as text: payloads pass through byte for byte, so what a client sent (big numbers, key order, spacing
 * inside values) is what every client gets. JSON.parse has accepted the text before any of these run.
 */

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** Index just behind the string that starts at `at`. */
function endOfString(text: string, at: number): number {
  let i = at + 1
  while (text.charCodeAt(i) !== quote) i += text.charCodeAt(i) === backslash ? 2 : 1
  return i + 1
}

/** Index just behind the value that starts at `at`: its closing bracket, quote, or the next separator. */
function endOfValue(text: string, at: number): number {
  let depth = 0
  let i = at
  while (i < text.length) {
    const c = text.charCodeAt(i)
    if (c === quote) {
      i = endOfString(text, i)
      if (depth === 0) return i
      continue
    }
    if (c === openBrace || c === openBracket) depth++
    else if (c === closeBrace || c === closeBracket) {
      if (depth === 0) return i
      if (--depth === 0) return i + 1
    } else if (c === comma && depth === 0) return i
    i++
  }
  return i
}

function skipSpace(text: string, at: number): number {
  let i = at
  while (text.charCodeAt(i) <= 0x20) i++
  return i
}

/**
 * Source text of a member of the object in `text`, or undefined when there is none. Of a name that comes twice the
 * last one counts, as in JSON.parse.
 */
export function sliceMember(text: string, name: string): string | undefined {
  let found: string | undefined
  let i = skipSpace(text, 0)
  if (text.charCodeAt(i) !== openBrace) return undefined
  i = skipSpace(text, i + 1)
  while (i < text.length && text.charCodeAt(i) !== closeBrace) {
    const keyEnd = endOfString(text, i)
    const key: unknown = JSON.parse(text.slice(i, keyEnd))
    i = skipSpace(text, keyEnd)
    if (text.charCodeAt(i) !== colon) return undefined
    const valueStart = skipSpace(text, i + 1)
    const valueEnd = endOfValue(text, valueStart)
    if (key === name) found = text.slice(valueStart, valueEnd).trimEnd()
    i = skipSpace(text, valueEnd)
    if (text.charCodeAt(i) === comma) i = skipSpace(text, i + 1)
  }
  return found
}

/** Source texts of the values that stand side by side in `text`, parted by commas. */
export function splitValues(text: string): string[] {
  const values: string[] = []
  for (let i = skipSpace(text, 0); i < text.length;) {
    const end = Math.max(endOfValue(text, i), i + 1)
    values.push(text.slice(i, end).trimEnd())
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === comma) i = skipSpace(text, i + 1)
  }
  return values
}

/** True when brackets nest deeper than `limit`. Works on any text, also before JSON.parse. */
export function isDeeperThan(text: string, limit: number): boolean {
  // Most texts are shorter than the limit allows brackets for.
  if (text.length <= limit) return false
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (inString) {
      if (c === backslash) i++
      else if (c === quote) inString = false
    } else if (c === quote) inString = true
    else if (c === openBrace || c === openBracket) {
      if (++depth > limit) return true
    } else if (c === closeBrace || c === closeBracket) depth--
  }
  return false
}
