import { StoreError } from './errors.ts'
import type { DocumentChange } from './store.ts'

/** Bytes of a document's body at most, and of each text of an audit entry. */
export const documentBytesMax = 262_144

/** Revisions of each document that are kept. */
export const documentRevisionsKept = 50

/** Deleted documents of a kind whose revisions are kept; of more those go that were deleted first. */
export const deletedDocumentsKept = 100

/** Audit entries that are kept. */
export const auditKept = 10_000

/** Throws a StoreError `refused` for what is not to be kept. */
export function checkDocuments({ writes, audit }: DocumentChange): void {
  for (const { kind, name, body } of writes) checkText(`${kind} ${name}`, body)
  if (audit === null) return
  for (const text of [audit.before, audit.after]) checkText('what an audit entry says', text)
}

/** Kinds of which a change deletes documents, each once. */
export function kindsDeleted({ writes }: DocumentChange): Set<string> {
  return new Set(writes.filter(({ body }) => body === null).map(({ kind }) => kind))
}

function checkText(what: string, text: string | null): void {
  const bytes = Buffer.byteLength(text ?? '')
  if (bytes > documentBytesMax)
    throw new StoreError('refused', `${what} has ${bytes} bytes, where ${documentBytesMax} is the most`)
}
