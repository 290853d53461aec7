import type { FormatRange, Formats } from '../../protocol/records/formats.ts'
import type { Compat } from './wanted-traffic.ts'

/** What a process that lives, or lived here, works with. */
export interface Speaker {
  version: string
  formats?: Formats
}

/**
 * Why workers of a version cannot work beside the others: it does not read what they write, they do not read what it
 * writes, or it does not know tables that the store has come to need; null when they can. What an older version does not
 * say of itself is taken to fit. `compat` is what an operator says of the version. Pure.
 */
export function unfitReason(
  version: string,
  own: Formats | undefined,
  others: readonly Speaker[],
  compat: Compat | undefined,
): string | null {
  const known = others.flatMap(({ version: other, formats }) =>
    formats === undefined || other === version ? [] : [{ other, formats }],
  )
  for (const { other, formats } of known) {
    const { records, tables } = formats
    if (own && !isIn(records.max, own.records)) return `${version} does not read the records of ${other}`
    if (own && !isIn(own.records.max, records)) return `${other} does not read the records of ${version}`
    if (own?.tables && tables && tables.min > own.tables.max)
      return `the tables need a program that knows ${tables.min}, ${version} knows ${own.tables.max}`
    if (compat && !isIn(records.max, compat.records))
      return `${other} writes records ${records.max}, ${version} is said to work with ${textOf(compat.records)}`
  }
  const tables = Math.max(
    ...[...known, ...(own ? [{ formats: own }] : [])].map(({ formats }) => formats.tables?.max ?? 0),
  )
  if (compat && tables > 0 && !isIn(tables, compat.tables))
    return `the tables are at ${tables}, ${version} is said to work with ${textOf(compat.tables)}`
  return null
}

/** Versions that must get no slots, with the reason. */
export function unfitVersions(
  speakers: readonly Speaker[],
  versions: Iterable<string>,
  serving: string | null,
  compat: ReadonlyMap<string, Compat>,
): Map<string, string> {
  const unfit = new Map<string, string>()
  for (const version of versions) {
    const own = speakers.find((each) => each.version === version)?.formats
    // What serves is what others are measured by, unless it does not even fit the tables.
    const others = version === serving ? speakers.map(withoutRecords(own)) : speakers
    const reason = unfitReason(version, own, others, compat.get(version))
    if (reason !== null) unfit.set(version, reason)
  }
  return unfit
}

/** As if it read and wrote the same records. */
function withoutRecords(own: Formats | undefined): (speaker: Speaker) => Speaker {
  return (speaker) =>
    own === undefined || speaker.formats === undefined
      ? speaker
      : { ...speaker, formats: { ...speaker.formats, records: own.records } }
}

function isIn(value: number, { min, max }: FormatRange): boolean {
  return value >= min && value <= max
}

const textOf = ({ min, max }: FormatRange): string => (max === Infinity ? `${min} and above` : `${min} to ${max}`)
