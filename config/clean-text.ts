import { readFileSync } from 'node:fs'

/**
 * What a person means by a text, whether it stands in a variable, a flag, the configuration file or a file of its own:
 * editors and shells put a byte order mark before it and line ends after it.
 */
export function cleanText(text: string): string {
  return text.replace(/^\uFEFF/, '').trim()
}

/** True when there is something in it that nobody means: a line end, a NUL. */
export function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of a file. Throws one clear error, without what is in it, when it cannot be read or is not UTF-8. */
export function readTextFile(path: string): string {
  const bytes = readFileSync(path)
  const isUtf16 = bytes.length >= 2 && [0xfeff, 0xfffe].includes(bytes.readUInt16BE(0))
  if (isUtf16) throw new Error(`${path} is UTF-16: save it as UTF-8`)
  try {
    return utf8.decode(bytes)
  } catch (error) {
    throw new Error(`${path} is not UTF-8`, { cause: error })
  }
}
