import { integer, text, textOrNull, type Sql } from '../../engine/sql.ts'
import {
  auditKept,
  checkDocuments,
  deletedDocumentsKept,
  documentRevisionsKept,
  kindsDeleted,
} from '../document-size.ts'
import type {
  AuditEntry,
  AuditRecord,
  Document,
  DocumentChange,
  DocumentRevision,
  DocumentWrite,
  DocumentsResult,
} from '../store.ts'

/** What controllers keep as documents, and who changed what. Every method runs in the caller's transaction. */
export class Documents {
  #sql: Sql
  #now: () => number

  /** `now` is the store's own clock, in milliseconds. */
  constructor(sql: Sql, now: () => number) {
    this.#sql = sql
    this.#now = now
  }

  documents(kind: string): Document[] {
    const rows = this.#sql.all(
      'SELECT name, revision, body, written_at FROM document WHERE kind = ? AND body IS NOT NULL ORDER BY name',
      kind,
    )
    return rows.map((row) => ({
      kind,
      name: text(row['name']),
      revision: integer(row['revision']),
      body: text(row['body']),
      time: integer(row['written_at']),
    }))
  }

  putDocuments(change: DocumentChange): DocumentsResult {
    checkDocuments(change)
    const { writes, term, audit } = change
    if (term !== null && term !== this.#term()) return 'fenced'
    if (writes.some((write) => this.#seen(write) !== write.seen)) return 'conflict'
    for (const write of writes) this.#write(write)
    for (const kind of kindsDeleted(change)) this.#forgetDeleted(kind)
    if (audit) this.#note(audit)
    return 'written'
  }

  documentHistory(kind: string, name: string, limit: number): DocumentRevision[] {
    const rows = this.#sql.all(
      `SELECT revision, body, written_at FROM document_revision
         WHERE kind = ? AND name = ? ORDER BY revision DESC LIMIT ?`,
      kind,
      name,
      limit,
    )
    return rows.map((row) => ({
      kind,
      name,
      revision: integer(row['revision']),
      body: textOrNull(row['body']),
      time: integer(row['written_at']),
    }))
  }

  audit(before: number | null, limit: number): AuditRecord[] {
    const rows = this.#sql.all(
      'SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?',
      before ?? Number.MAX_SAFE_INTEGER,
      limit,
    )
    return rows.map((row) => ({
      id: integer(row['id']),
      time: integer(row['written_at']),
      who: text(row['who']),
      what: text(row['what']),
      target: text(row['target']),
      before: textOrNull(row['before']),
      after: textOrNull(row['after']),
    }))
  }

  #term(): number | null {
    const row = this.#sql.get('SELECT term FROM leader')
    return row === undefined ? null : integer(row['term'])
  }

  /** 0 for one that is not there, deleted ones included. */
  #seen({ kind, name }: DocumentWrite): number {
    const row = this.#sql.get(
      'SELECT revision FROM document WHERE kind = ? AND name = ? AND body IS NOT NULL',
      kind,
      name,
    )
    return row === undefined ? 0 : integer(row['revision'])
  }

  #write({ kind, name, body }: DocumentWrite): void {
    const now = this.#now()
    this.#sql.run(
      `INSERT INTO document (kind, name, revision, body, written_at)
         VALUES (?1, ?2, coalesce((SELECT revision FROM document_floor WHERE kind = ?1), 0) + 1, ?3, ?4)
         ON CONFLICT DO UPDATE SET revision = revision + 1, body = excluded.body, written_at = excluded.written_at`,
      kind,
      name,
      body,
      now,
    )
    this.#sql.run('INSERT INTO document_revision SELECT * FROM document WHERE kind = ? AND name = ?', kind, name)
    this.#sql.run(
      `DELETE FROM document_revision WHERE kind = ?1 AND name = ?2
         AND revision <= (SELECT revision FROM document WHERE kind = ?1 AND name = ?2) - ?3`,
      kind,
      name,
      documentRevisionsKept,
    )
  }

  #forgetDeleted(kind: string): void {
    const old = this.#sql.all(
      `SELECT name, revision FROM document WHERE kind = ? AND body IS NULL
         ORDER BY written_at DESC, name LIMIT -1 OFFSET ?`,
      kind,
      deletedDocumentsKept,
    )
    for (const { name, revision } of old) {
      this.#sql.run(
        `INSERT INTO document_floor (kind, revision) VALUES (?, ?)
           ON CONFLICT DO UPDATE SET revision = max(revision, excluded.revision)`,
        kind,
        integer(revision),
      )
      this.#sql.run('DELETE FROM document_revision WHERE kind = ? AND name = ?', kind, text(name))
      this.#sql.run('DELETE FROM document WHERE kind = ? AND name = ?', kind, text(name))
    }
  }

  #note({ who, what, target, before, after }: AuditEntry): void {
    this.#sql.run(
      'INSERT INTO audit (written_at, who, what, target, before, after) VALUES (?, ?, ?, ?, ?, ?)',
      this.#now(),
      who,
      what,
      target,
      before,
      after,
    )
    this.#sql.run('DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?', auditKept)
  }
}
