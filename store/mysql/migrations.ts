/** One step of the tables. */
export interface Migration {
  /**
   * The oldest version of the tables that a program may know and still work with them after this step. A step that only
   * adds (a table, a column with a default, an index) keeps the number of the step before it; so programs of two
   * neighbouring versions run side by side. One that takes something away raises it, and comes a release after the last
   * program that used the thing.
   */
  compatibleFrom: number
  /**
   * Each statement ends a transaction by itself, so a step that was cut short is made again from its start: a statement
   * that finds its work done (table, column or index already there, or already gone) is passed over.
   */
  statements: readonly string[]
}

/**
 * Version n is the first n steps. A step that was released is never edited; a change is a new one.
 *
 * Names, ids and keys are VARBINARY: compared as bytes, with no collation to fold two of them into one. A message costs
 * one row in one tree, and one small row more when it has a key; nothing else is indexed by message. `channel.id` is a
 * hash of slot and name, so that a commit needs no look-up: see channel-id.ts.
 */
export const migrations: readonly Migration[] = [
  {
    compatibleFrom: 1,
    statements: [
      `CREATE TABLE slot_group (
        name VARBINARY(255) NOT NULL PRIMARY KEY,
        slots INT NOT NULL
      ) ENGINE=InnoDB`,
      `CREATE TABLE lease (
        slot VARBINARY(255) NOT NULL PRIMARY KEY,
        token VARBINARY(255),
        owner_id VARBINARY(255),
        version VARBINARY(255),
        epoch BIGINT NOT NULL DEFAULT 0,
        next_offset BIGINT NOT NULL DEFAULT 0,
        incarnation BIGINT NOT NULL DEFAULT 0,
        fingerprint VARBINARY(255),
        trying BIGINT,
        attempts BIGINT NOT NULL DEFAULT 0
      ) ENGINE=InnoDB`,
      `CREATE TABLE producer (
        slot VARBINARY(255) NOT NULL,
        producer VARBINARY(255) NOT NULL,
        last_n BIGINT NOT NULL,
        PRIMARY KEY (slot, producer)
      ) ENGINE=InnoDB`,
      `CREATE TABLE tombstone (
        slot VARBINARY(255) NOT NULL,
        instance_id VARBINARY(255) NOT NULL,
        pruned TINYINT NOT NULL DEFAULT 0,
        PRIMARY KEY (slot, instance_id)
      ) ENGINE=InnoDB`,
      `CREATE TABLE outbox (
        slot VARBINARY(255) NOT NULL,
        batch_end BIGINT NOT NULL,
        part INT NOT NULL,
        inboxes MEDIUMBLOB NOT NULL,
        payload LONGBLOB NOT NULL,
        PRIMARY KEY (slot, batch_end, part)
      ) ENGINE=InnoDB`,
      `CREATE TABLE channel (
        id BINARY(16) NOT NULL PRIMARY KEY,
        slot VARBINARY(255) NOT NULL,
        name VARBINARY(2048) NOT NULL,
        epoch VARBINARY(255) NOT NULL,
        top BIGINT NOT NULL,
        last_time BIGINT NOT NULL
      ) ENGINE=InnoDB`,
      `CREATE TABLE message (
        channel_id BINARY(16) NOT NULL,
        channel_offset BIGINT NOT NULL,
        id VARBINARY(255) NOT NULL,
        kind VARBINARY(64) NOT NULL,
        user_id VARBINARY(2048) NOT NULL,
        payload MEDIUMBLOB NOT NULL,
        info MEDIUMBLOB,
        tags MEDIUMBLOB,
        sent_at BIGINT NOT NULL,
        idem BINARY(16),
        PRIMARY KEY (channel_id, channel_offset)
      ) ENGINE=InnoDB`,
      // A table and not a unique index on message: messages without a key cost nothing, and no gap is ever locked.
      `CREATE TABLE message_key (
        channel_id BINARY(16) NOT NULL,
        idem BINARY(16) NOT NULL,
        channel_offset BIGINT NOT NULL,
        PRIMARY KEY (channel_id, idem)
      ) ENGINE=InnoDB`,
      `CREATE TABLE interest (
        slot VARBINARY(255) NOT NULL,
        channel_id BINARY(16) NOT NULL,
        instance_id VARBINARY(255) NOT NULL,
        PRIMARY KEY (slot, channel_id, instance_id),
        KEY interest_instance (instance_id, slot)
      ) ENGINE=InnoDB`,
      `CREATE TABLE dead_letter (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        slot VARBINARY(255) NOT NULL,
        log_offset BIGINT NOT NULL,
        reason MEDIUMBLOB NOT NULL,
        log_record LONGBLOB NOT NULL,
        KEY dead_letter_slot (slot)
      ) ENGINE=InnoDB`,
      `CREATE TABLE serving (
        id TINYINT NOT NULL PRIMARY KEY,
        version VARBINARY(255) NOT NULL
      ) ENGINE=InnoDB`,
      `CREATE TABLE leader (
        id TINYINT NOT NULL PRIMARY KEY,
        term BIGINT NOT NULL,
        candidate VARBINARY(255) NOT NULL,
        expires_at BIGINT NOT NULL
      ) ENGINE=InnoDB`,
      "INSERT INTO leader (id, term, candidate, expires_at) VALUES (1, 0, '', 0) ON DUPLICATE KEY UPDATE id = id",
      `CREATE TABLE proxy_instance (
        id VARBINARY(255) NOT NULL PRIMARY KEY,
        state VARBINARY(64) NOT NULL,
        KEY proxy_instance_state (state)
      ) ENGINE=InnoDB`,
    ],
  },
  {
    compatibleFrom: 1,
    statements: ["ALTER TABLE lease ADD COLUMN origin VARBINARY(255) NOT NULL DEFAULT ''"],
  },
  {
    compatibleFrom: 1,
    statements: [
      // One that was deleted stays, without a body: its revisions go on from there.
      `CREATE TABLE document (
        kind VARBINARY(64) NOT NULL,
        name VARBINARY(255) NOT NULL,
        revision BIGINT NOT NULL,
        body MEDIUMBLOB,
        written_at BIGINT NOT NULL,
        PRIMARY KEY (kind, name)
      ) ENGINE=InnoDB`,
      `CREATE TABLE document_revision (
        kind VARBINARY(64) NOT NULL,
        name VARBINARY(255) NOT NULL,
        revision BIGINT NOT NULL,
        body MEDIUMBLOB,
        written_at BIGINT NOT NULL,
        PRIMARY KEY (kind, name, revision)
      ) ENGINE=InnoDB`,
      `CREATE TABLE audit (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        written_at BIGINT NOT NULL,
        who VARBINARY(255) NOT NULL,
        what VARBINARY(255) NOT NULL,
        target VARBINARY(1024) NOT NULL,
        before_body MEDIUMBLOB,
        after_body MEDIUMBLOB
      ) ENGINE=InnoDB`,
    ],
  },
  {
    compatibleFrom: 1,
    statements: [
      `CREATE TABLE namespace (
        name VARBINARY(255) NOT NULL PRIMARY KEY,
        slot_group VARBINARY(255) NOT NULL
      ) ENGINE=InnoDB`,
    ],
  },
  {
    compatibleFrom: 1,
    statements: ['ALTER TABLE lease ADD COLUMN killed BIGINT', 'ALTER TABLE lease ADD COLUMN killed_by VARBINARY(255)'],
  },
  {
    compatibleFrom: 1,
    statements: [
      // The highest revision of those that are forgotten: a new one of their kind is above it, whatever its name.
      `CREATE TABLE document_floor (
        kind VARBINARY(64) NOT NULL PRIMARY KEY,
        revision BIGINT NOT NULL
      ) ENGINE=InnoDB`,
    ],
  },
]
