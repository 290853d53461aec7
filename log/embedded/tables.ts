/**
 * The log's tables, one entry a version; an entry that was released is never edited, a change is a new entry.
 *
 * A record's `place` is its partition's id and its offset in one integer (see sqlite-log.ts): records of a partition
 * lie next to each other in the one tree that an append touches.
 */
export const logMigrations: readonly string[] = [
  `
  CREATE TABLE log_topic (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    compacted INTEGER NOT NULL
  ) STRICT;

  -- The next offset follows the last record; what a trim leaves of it is kept here.
  CREATE TABLE log_partition (
    id INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    oldest INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic_id, partition)
  ) STRICT;

  CREATE TABLE log_record (place INTEGER PRIMARY KEY, key BLOB, value BLOB NOT NULL) STRICT;

  -- The newest record of each key of a compacted topic.
  CREATE TABLE log_key (
    partition_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (partition_id, key)
  ) STRICT, WITHOUT ROWID;
  `,
]
