import { once } from 'node:events'
import { createPool } from 'mysql2/promise'
import { plainKafka, plainProducer } from './echo.ts'
import type { EchoTask } from './echo.ts'

/** The other end of the floor: each message is stored in a transaction like that of a publish, then sent back. */
const [{ brokers, topics, store }] = (await once(process, 'message')) as [EchoTask]
const kafka = plainKafka(brokers)
const pool = createPool({ uri: store, multipleStatements: true, connectionLimit: 16 })
await pool.query(`
  CREATE TABLE lease (slot INT PRIMARY KEY, next_offset BIGINT NOT NULL);
  CREATE TABLE message (slot INT, place BIGINT, body MEDIUMBLOB NOT NULL, PRIMARY KEY (slot, place));
  CREATE TABLE outbox (slot INT, place BIGINT, body MEDIUMBLOB NOT NULL, PRIMARY KEY (slot, place))`)
const producer = plainProducer(kafka)
const consumer = kafka.consumer({ groupId: topics.there, maxWaitTimeInMs: 500 })
await Promise.all([producer.connect(), consumer.connect()])
await consumer.subscribe({ topic: topics.there, fromBeginning: true })
const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve))
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 16,
  eachMessage: async ({ partition, message }) => {
    const offset = Number(message.offset)
    await pool.query(
      `SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
       START TRANSACTION;
       INSERT INTO lease VALUES (?, ?) ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset);
       INSERT INTO message VALUES (?, ?, ?);
       DELETE FROM outbox WHERE slot = ? AND place = ?;
       INSERT INTO outbox VALUES (?, ?, ?);
       COMMIT`,
      [
        partition,
        offset + 1,
        partition,
        offset,
        message.value,
        partition,
        offset - 1,
        partition,
        offset,
        message.value,
      ],
    )
    await producer.send({ topic: topics.back, messages: [{ partition, value: message.value }] })
  },
})
await joined
process.send!('ready')
