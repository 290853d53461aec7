import { sql } from './sql.ts'

/** The database's clock in milliseconds since 1970, whatever its time zone. */
export const now = sql`(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)`
