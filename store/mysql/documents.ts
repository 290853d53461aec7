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
import { now } from './clock.ts'
import type { Database } from './database.ts'
import { integer, rowsOf, text, textOrNull } from './rows.ts'
import { sql, type Sql } from './sql.ts'
import { transaction, transactionPrefix } from './transaction.ts'

/** What controllers keep as documents, and who changed what. */
export class Documents {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async documents(kind: string): Promise<Document[]> {
    const [rows] = await this.#database.request([
      sql`SELECT name, revision, body, written_at FROM document WHERE kind = ${kind} AND body IS NOT NULL ORDER BY name`,
    ])
    return rowsOf(rows).map((row) => ({
      kind,
      name: text(row['name']),
      revision: integer(row['revision']),
      body: text(row['body']),
      time: integer(row['written_at']),
    }))
  }

  async putDocuments(change: DocumentChange): Promise<DocumentsResult> {
    checkDocuments(change)
    const { writes, term, audit } = change
    const statements = [
      // Whoever writes documents holds it: what is seen below is what is there, and a new term waits.
      sql`SELECT term FROM leader WHERE id = 1 FOR UPDATE`,
      sql`SET @led = ${term === null ? sql`TRUE` : sql`(SELECT term = ${term} FROM leader WHERE id = 1)`}, @fits = TRUE`,
      ...writes.map(asSeen),
      ...writes.flatMap(written),
      ...[...kindsDeleted(change)].flatMap(deletedForgotten),
      ...(audit ? noted(audit) : []),
      sql`SELECT @led AS led, @fits AS fits`,
    ]
    const answers = await this.#database.request(transaction(statements))
    const [row] = rowsOf(answers[transactionPrefix + statements.length - 1])
    if (integer(row?.['led']) === 0) return 'fenced'
    return integer(row?.['fits']) === 0 ? 'conflict' : 'written'
  }

  async documentHistory(kind: string, name: string, limit: number): Promise<DocumentRevision[]> {
    const [rows] = await this.#database.request([
      sql`SELECT revision, body, written_at FROM document_revision
          WHERE kind = ${kind} AND name = ${name} ORDER BY revision DESC LIMIT ${limit}`,
    ])
    return rowsOf(rows).map((row) => ({
      kind,
      name,
      revision: integer(row['revision']),
      body: textOrNull(row['body']),
      time: integer(row['written_at']),
    }))
  }

  async audit(before: number | null, limit: number): Promise<AuditRecord[]> {
    const [rows] = await this.#database.request([
      sql`SELECT id, written_at, who, what, target, before_body, after_body FROM audit
          WHERE id < ${before ?? Number.MAX_SAFE_INTEGER} ORDER BY id DESC LIMIT ${limit}`,
    ])
    return rowsOf(rows).map((row) => ({
      id: integer(row['id']),
      time: integer(row['written_at']),
      who: text(row['who']),
      what: text(row['what']),
      target: text(row['target']),
      before: textOrNull(row['before_body']),
      after: textOrNull(row['after_body']),
    }))
  }
}

/** 0 for one that is not there, deleted ones included. */
function asSeen({ kind, name, seen }: DocumentWrite): Sql {
  return sql`SET @fits = @fits AND ${seen} = COALESCE(
    (SELECT revision FROM document WHERE kind = ${kind} AND name = ${name} AND body IS NOT NULL), 0)`
}

function written({ kind, name, body }: DocumentWrite): Sql[] {
  const it = sql`kind = ${kind} AND name = ${name}`
  return [
    sql`INSERT INTO document (kind, name, revision, body, written_at)
        SELECT ${kind}, ${name}, COALESCE((SELECT revision FROM document_floor WHERE kind = ${kind}), 0) + 1, ${body}, ${now}
        FROM leader WHERE id = 1 AND @led AND @fits
        ON DUPLICATE KEY UPDATE revision = document.revision + 1, body = ${body}, written_at = ${now}`,
    sql`INSERT INTO document_revision (kind, name, revision, body, written_at)
        SELECT kind, name, revision, body, written_at FROM document WHERE ${it} AND @led AND @fits`,
    sql`DELETE FROM document_revision WHERE ${it} AND @led AND @fits
        AND revision <= (SELECT revision FROM document WHERE ${it}) - ${documentRevisionsKept}`,
  ]
}

/** Deleted ones beyond those that are kept. A table that is read with a bound on its rows may be changed by the same statement. */
function deletedForgotten(kind: string): Sql[] {
  const old = sql`(SELECT kind, name, revision FROM document WHERE kind = ${kind} AND body IS NULL
    ORDER BY written_at DESC, name LIMIT ${Number.MAX_SAFE_INTEGER} OFFSET ${deletedDocumentsKept}) AS old`
  return [
    sql`SET @floor = (SELECT MAX(revision) FROM ${old})`,
    sql`INSERT INTO document_floor (kind, revision)
        SELECT ${kind}, @floor FROM leader WHERE id = 1 AND @led AND @fits AND @floor IS NOT NULL
        ON DUPLICATE KEY UPDATE revision = GREATEST(document_floor.revision, @floor)`,
    sql`DELETE document_revision FROM document_revision JOIN ${old} USING (kind, name) WHERE @led AND @fits`,
    sql`DELETE document FROM document JOIN ${old} USING (kind, name) WHERE @led AND @fits`,
  ]
}

function noted({ who, what, target, before, after }: AuditEntry): Sql[] {
  return [
    sql`INSERT INTO audit (written_at, who, what, target, before_body, after_body)
        SELECT ${now}, ${who}, ${what}, ${target}, ${before}, ${after} FROM leader WHERE id = 1 AND @led AND @fits`,
    sql`DELETE FROM audit WHERE @led AND @fits AND id <= CAST(LAST_INSERT_ID() AS SIGNED) - ${auditKept}`,
  ]
}
