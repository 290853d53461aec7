import { LogError } from '../log/errors.ts'
import { StoreError } from '../store/errors.ts'

/**
 * What to say of an error that met a process at its start and that only a person can mend: a wrong password, no such
 * database, tables or topics that are laid out otherwise. One line; null for any other error, which may pass.
 */
export function forAPerson(error: unknown): string | null {
  if (error instanceof StoreError && error.code === 'damaged') return `store: ${error.message}`
  if (error instanceof LogError && (error.code === 'topic_mismatch' || error.code === 'denied'))
    return `log: ${error.message}`
  return null
}
