/** Deletes the topic `anew` and makes it again with twice as many records: node made-anew-process.ts <url> */
import { Kafka, logLevel } from 'kafkajs'
import { openKafkaLog } from '../../../log/kafka/kafka-log.ts'
import { parseKafkaUrl } from '../../../log/kafka/url.ts'
import { until } from '../../support/until.ts'
import { entries } from './tools.ts'

const url = process.argv[2]!
const { brokers, prefix } = parseKafkaUrl(url)
const topic = `${prefix}.anew`
const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
await admin.connect()
await admin.deleteTopics({ topics: [topic] })
await until('the topic is gone', async () => !(await admin.listTopics()).includes(topic))
await admin.disconnect()
const log = openKafkaLog(url)
await log.createTopics([{ name: 'anew', partitions: 1, compacted: false }])
await log.append('anew', 0, entries(1_000, 20))
await log.close()
