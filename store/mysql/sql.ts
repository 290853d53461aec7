/** What may stand in a statement: each is written so that it can be nothing but one value. */
export type SqlValue = string | number | Buffer | null | Sql | readonly Sql[]

/**
 * A piece of SQL. The `sql` tag is the only way to one, so that the text is always this program's own and what comes
 * from outside is always a literal in it: connections take several statements in one request.
 */
export class Sql {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A piece of SQL with values in it; a list of pieces is joined by commas. */
export function sql(pieces: TemplateStringsArray, ...values: SqlValue[]): Sql {
  let text = pieces[0]!
  for (let index = 0; index < values.length; index += 1) text += literal(values[index]!) + pieces[index + 1]!
  return new Sql(text)
}

/** Pieces with something else than a comma between them. */
export function joined(pieces: readonly Sql[], between: Sql): Sql {
  return new Sql(pieces.map(({ text }) => text).join(between.text))
}

/** Bytes that are known as hexadecimal digits. */
export function hexLiteral(digits: string): Sql {
  if (!/^[0-9a-f]*$/.test(digits)) throw new TypeError('not hexadecimal digits')
  return new Sql(`X'${digits}'`)
}

/** A name of a table, column, database or user. */
export function identifier(name: string): Sql {
  return new Sql(`\`${name.replaceAll('`', '``')}\``)
}

function literal(value: SqlValue): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`not a whole number that a column can hold: ${value}`)
    return value.toString()
  }
  if (value === null) return 'NULL'
  if (value instanceof Sql) return value.text
  // Hexadecimal is twice the bytes, but cheaper for the server to read than text with escapes (and it cannot go wrong).
  if (Buffer.isBuffer(value)) return `X'${value.toString('hex')}'`
  return value.map(({ text }) => text).join(',')
}

/**
 * Right for utf8mb4 (no byte of a longer character is a quote or a backslash) without NO_BACKSLASH_ESCAPES: both are
 * set, and checked, for every connection.
 */
function quoted(text: string): string {
  const escaped = /['\\\0]/.test(text)
    ? text.replaceAll(/['\\\0]/g, (character) => (character === '\0' ? '\\0' : `\\${character}`))
    : text
  return `'${escaped}'`
}
