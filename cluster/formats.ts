import { storeUrl } from '../config/config.ts'
import type { Config } from '../config/config.ts'
import { ownRecords } from '../protocol/records/formats.ts'
import type { Formats } from '../protocol/records/formats.ts'
import { migrations } from '../store/mysql/migrations.ts'

/**
 * What this build works with. Tables are told where processes share them: the embedded store's are the engine's alone.
 */
export function formatsOf(config: Config): Formats {
  const records = ownRecords
  if (!storeUrl(config).startsWith('mysql:')) return { records }
  return { records, tables: { min: migrations.at(-1)!.compatibleFrom, max: migrations.length } }
}
