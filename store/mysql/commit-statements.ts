import type { Commit } from '../store.ts'
import { channelId } from './channel-id.ts'
import { joined, sql, type Sql } from './sql.ts'
import { fencedTransaction } from './transaction.ts'

/** Rows that one DELETE names at most: the planner's work grows faster than the list. */
const deleteChunk = 100

const or = sql` OR `

/**
 * One transaction for commits of different slots: the fence of all first, then the rows of all, table by table.
 * Statements cost more than rows, so each table has one, and slots are in order, so that no two such transactions wait
 * for each other. Deletes are put so that no plan can go through a small table from its start, where it would wait for
 * rows of other slots: as a list that the table is joined to by its whole key, or with one slot and a forced index.
 *
 * `VALUES(column)` is the one way to name the new value that MySQL (which prefers an alias) and MariaDB (which has no
 * alias) both know.
 */
export function commitStatements(commits: readonly Commit[]): Sql[] {
  const ordered = [...commits].sort((a, b) => (a.slot < b.slot ? -1 : 1))
  return fencedTransaction(fence(ordered), ordered.length, [
    ...channelStatements(ordered),
    ...interestStatements(ordered),
    ...removedStatements(ordered),
    ...producerStatements(ordered),
    ...outboxStatements(ordered),
    ...insert(
      sql`INSERT INTO dead_letter (slot, log_offset, reason, log_record) VALUES`,
      ordered.flatMap(({ slot, deadLetters }) =>
        deadLetters.map(({ offset, reason, record }) => sql`(${slot}, ${offset}, ${reason}, ${record})`),
      ),
    ),
  ])
}

/** A fingerprint belongs to a place and stays when the place does. */
function fence(commits: readonly Commit[]): Sql {
  const owned = commits.map(
    ({ slot, token, expected }) => sql`slot = ${slot} AND token = ${token} AND next_offset = ${expected}`,
  )
  const moved = commits.filter(({ next, expected }) => next > expected)
  const slots = moved.map(({ slot }) => sql`${slot}`)
  const each = (of: (commit: Commit) => Sql): Sql =>
    joined(
      moved.map((commit) => sql`WHEN ${commit.slot} THEN ${of(commit)}`),
      sql` `,
    )
  const changes =
    moved.length === 0
      ? sql`next_offset = next_offset`
      : sql`next_offset = CASE slot ${each(({ next }) => sql`${next}`)} ELSE next_offset END,
          fingerprint = CASE slot ${each(({ fingerprint }) => sql`${fingerprint}`)} ELSE fingerprint END,
          trying = IF(slot IN (${slots}), NULL, trying), attempts = IF(slot IN (${slots}), 0, attempts)`
  return sql`UPDATE lease FORCE INDEX (PRIMARY) SET ${changes} WHERE ${joined(owned, or)}`
}

function channelStatements(commits: readonly Commit[]): Sql[] {
  const channels: Sql[] = []
  const messages: Sql[] = []
  const keys: Sql[] = []
  for (const commit of commits) {
    const idOf = channelIds(commit)
    for (const { name, epoch, top, lastTime } of commit.channels)
      channels.push(sql`(${idOf(name)}, ${commit.slot}, ${name}, ${epoch}, ${top}, ${lastTime})`)
    for (const { channel, offset, id, kind, user, data, info, tags, time, idem } of commit.messages) {
      const channelId = idOf(channel)
      messages.push(
        sql`(${channelId}, ${offset}, ${id}, ${kind}, ${user}, ${data}, ${info}, ${tags}, ${time}, ${idem})`,
      )
      if (idem !== null) keys.push(sql`(${channelId}, ${idem}, ${offset})`)
    }
  }
  return [
    ...insert(
      sql`INSERT INTO channel (id, slot, name, epoch, top, last_time) VALUES`,
      channels,
      sql`ON DUPLICATE KEY UPDATE epoch = VALUES(epoch), top = VALUES(top), last_time = VALUES(last_time)`,
    ),
    ...insert(
      sql`INSERT INTO message
        (channel_id, channel_offset, id, kind, user_id, payload, info, tags, sent_at, idem) VALUES`,
      messages,
    ),
    ...insert(sql`INSERT INTO message_key (channel_id, idem, channel_offset) VALUES`, keys),
  ]
}

function interestStatements(commits: readonly Commit[]): Sql[] {
  const added = commits.flatMap((commit) => {
    if (commit.interestAdded.length === 0) return []
    const idOf = channelIds(commit)
    return commit.interestAdded.map(([channel, instance]) => sql`(${commit.slot}, ${idOf(channel)}, ${instance})`)
  })
  const removed = commits.flatMap(({ slot, interestRemoved }) =>
    interestRemoved.map(([channel, instance]) => [sql`${slot}`, channelId(slot, channel), sql`${instance}`]),
  )
  const gone = commits.flatMap(({ slot, gone }) => gone.map((instance) => sql`(${slot}, ${instance})`))
  return [
    ...insert(
      sql`INSERT INTO interest (slot, channel_id, instance_id) VALUES`,
      added,
      sql`ON DUPLICATE KEY UPDATE slot = VALUES(slot)`,
    ),
    ...remove(sql`interest`, [sql`slot`, sql`channel_id`, sql`instance_id`], removed),
    ...insert(
      sql`INSERT INTO tombstone (slot, instance_id) VALUES`,
      gone,
      sql`ON DUPLICATE KEY UPDATE slot = VALUES(slot)`,
    ),
  ]
}

function removedStatements(commits: readonly Commit[]): Sql[] {
  const removed = commits.flatMap(({ slot, channelsRemoved }) =>
    channelsRemoved.map((name) => ({ slot: sql`${slot}`, id: channelId(slot, name) })),
  )
  return [
    ...remove(
      sql`interest`,
      [sql`slot`, sql`channel_id`],
      removed.map(({ slot, id }) => [slot, id]),
    ),
    ...remove(
      sql`channel`,
      [sql`id`],
      removed.map(({ id }) => [id]),
    ),
  ]
}

function producerStatements(commits: readonly Commit[]): Sql[] {
  const rows = commits.flatMap(({ slot, producers }) =>
    producers.map(([producer, lastN]) => sql`(${slot}, ${producer}, ${lastN})`),
  )
  // A producer is `instance.generation`; '/' is the character after '.', so this is all that start with `instance.`.
  const gone = commits.flatMap(({ slot, gone }) =>
    gone.map(
      (instance) => sql`DELETE producer FROM (SELECT ${slot} AS slot) AS listed
        STRAIGHT_JOIN producer FORCE INDEX (PRIMARY) ON producer.slot = listed.slot
        WHERE producer.producer >= ${`${instance}.`} AND producer.producer < ${`${instance}/`}`,
    ),
  )
  return [
    ...insert(
      sql`INSERT INTO producer (slot, producer, last_n) VALUES`,
      rows,
      sql`ON DUPLICATE KEY UPDATE last_n = VALUES(last_n)`,
    ),
    ...gone,
  ]
}

function outboxStatements(commits: readonly Commit[]): Sql[] {
  const done = commits.flatMap(({ slot, outboxDone }) =>
    outboxDone.map(({ batchEnd, part }) => [sql`${slot}`, sql`${batchEnd}`, sql`${part}`]),
  )
  const narrowed = commits.flatMap(({ slot, outboxNarrowed }) =>
    outboxNarrowed.map(
      ({ batchEnd, part, inboxes }) => sql`UPDATE outbox SET inboxes = ${JSON.stringify(inboxes)}
        WHERE slot = ${slot} AND batch_end = ${batchEnd} AND part = ${part}`,
    ),
  )
  const rows = commits.flatMap(({ slot, outbox }) =>
    outbox.map(
      ({ batchEnd, part, inboxes, body }) => sql`(${slot}, ${batchEnd}, ${part}, ${JSON.stringify(inboxes)}, ${body})`,
    ),
  )
  return [
    ...remove(sql`outbox`, [sql`slot`, sql`batch_end`, sql`part`], done),
    ...narrowed,
    ...insert(sql`INSERT INTO outbox (slot, batch_end, part, inboxes, payload) VALUES`, rows),
  ]
}

/**
 * Ids of the channels of a commit. One that the commit does not write itself must be there already: its id is then read
 * from its row, and NULL, which no column takes, when there is none.
 */
function channelIds({ slot, channels }: Commit): (name: string) => Sql {
  const written = new Map(channels.map(({ name }) => [name, channelId(slot, name)]))
  return (name) =>
    written.get(name) ?? sql`(SELECT channel.id FROM channel WHERE channel.id = ${channelId(slot, name)})`
}

function insert(into: Sql, rows: readonly Sql[], otherwise = sql``): Sql[] {
  return rows.length === 0 ? [] : [sql`${into} ${rows} ${otherwise}`]
}

/** Removes rows by their keys: for each, a value of each of the columns. */
function remove(table: Sql, columns: readonly Sql[], keys: readonly (readonly Sql[])[]): Sql[] {
  const statements: Sql[] = []
  for (let start = 0; start < keys.length; start += deleteChunk) {
    const listed = keys
      .slice(start, start + deleteChunk)
      .map((key) => sql`SELECT ${key.map((value, index) => sql`${value} AS ${columns[index]!}`)}`)
    const same = columns.map((column) => sql`${table}.${column} = listed.${column}`)
    statements.push(sql`DELETE ${table} FROM (${joined(listed, sql` UNION ALL `)}) AS listed
      STRAIGHT_JOIN ${table} ON ${joined(same, sql` AND `)}`)
  }
  return statements
}
