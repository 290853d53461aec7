import { integer, type Sql } from '../../engine/sql.ts'
import { NewerTablesError } from './errors.ts'

/** Marks a SQLite file as one of ours ("HOLD"). */
export const applicationId = 0x48_4f_4c_44

/**
 * The store's tables, one entry a version; an entry that was released is never edited, a change is a new entry.
 * TEXT compares as bytes (SQLite's default collation, BINARY), so no two names are ever taken for one.
 */
export const storeMigrations: readonly string[] = [
  `
  CREATE TABLE slot_group (name TEXT PRIMARY KEY, slots INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE lease (
    slot TEXT PRIMARY KEY,
    token TEXT,
    owner TEXT,
    version TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    next_offset INTEGER NOT NULL DEFAULT 0,
    incarnation INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT,
    trying INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE producer (
    slot TEXT NOT NULL,
    producer TEXT NOT NULL,
    last_n INTEGER NOT NULL,
    PRIMARY KEY (slot, producer)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tombstone (
    slot TEXT NOT NULL,
    instance TEXT NOT NULL,
    pruned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (slot, instance)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outbox (
    slot TEXT NOT NULL,
    batch_end INTEGER NOT NULL,
    part INTEGER NOT NULL,
    inboxes TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (slot, batch_end, part)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE channel (
    id INTEGER PRIMARY KEY,
    slot TEXT NOT NULL,
    name TEXT NOT NULL,
    epoch TEXT NOT NULL,
    top INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    UNIQUE (slot, name)
  ) STRICT;

  CREATE TABLE message (
    channel_id INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    user TEXT NOT NULL,
    data BLOB NOT NULL,
    info TEXT,
    tags TEXT,
    time INTEGER NOT NULL,
    idem BLOB,
    PRIMARY KEY (channel_id, offset)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX message_idem ON message (channel_id, idem) WHERE idem IS NOT NULL;

  -- The instance comes first: one that is retired is cleared slot by slot, and all of them are listed.
  CREATE TABLE interest (
    instance TEXT NOT NULL,
    slot TEXT NOT NULL,
    channel_id INTEGER NOT NULL,
    PRIMARY KEY (instance, slot, channel_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX interest_channel ON interest (channel_id);

  CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    slot TEXT NOT NULL,
    offset INTEGER NOT NULL,
    reason TEXT NOT NULL,
    record BLOB NOT NULL
  ) STRICT;
  CREATE INDEX dead_letter_slot ON dead_letter (slot);

  CREATE TABLE serving (one INTEGER PRIMARY KEY CHECK (one = 1), version TEXT NOT NULL) STRICT;

  CREATE TABLE leader (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    term INTEGER NOT NULL,
    leader TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE instance (id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  "ALTER TABLE lease ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
  `
  -- One that was deleted stays, without a body: its revisions go on from there.
  CREATE TABLE document (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE document_revision (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name, revision)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written_at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT,
    after TEXT
  ) STRICT;
  `,
  'CREATE TABLE namespace (name TEXT PRIMARY KEY, slot_group TEXT NOT NULL) STRICT, WITHOUT ROWID',
  'ALTER TABLE lease ADD COLUMN killed INTEGER; ALTER TABLE lease ADD COLUMN killed_by TEXT',
  // The highest revision of those that are forgotten: a new one of their kind is above it, whatever its name.
  'CREATE TABLE document_floor (kind TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID',
]

/** Brings the tables up to the newest version, each step in a transaction of its own. */
export function migrate(sql: Sql, migrations: readonly string[]): void {
  const found = integer(sql.get('PRAGMA user_version')?.['user_version'])
  if (found > migrations.length) throw new NewerTablesError(found, migrations.length)
  migrations.slice(found).forEach((migration, step) => {
    sql.transaction(() => {
      sql.database.exec(migration)
      sql.database.exec(`PRAGMA user_version = ${found + step + 1}; PRAGMA application_id = ${applicationId}`)
    })
  })
}
