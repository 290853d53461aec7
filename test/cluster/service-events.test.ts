/** Proves that what the Kafka and MySQL adapters tell becomes metrics, and an outage a line in the process's log. */
import t from 'tap'
import { kafkaEvents } from '../../cluster/kafka-events.ts'
import { mysqlEvents } from '../../cluster/mysql-events.ts'
import { Services } from '../../cluster/services.ts'
import { LogError } from '../../log/errors.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { StoreError } from '../../store/errors.ts'
import { notingLogger } from '../support/loggers.ts'

void t.test('Kafka', async (t) => {
  const metrics = createMetrics()
  const { logger, lines } = notingLogger()
  const events = kafkaEvents(
    metrics,
    new Services(logger).outages('log', 'kafka://ann:geheim@127.0.0.1:9092/prefix?tls=true'),
  )
  events.request('append', 0.004, true)
  events.request('append', 10, false)
  events.gathered(64)
  events.failed('append', 'NOT_ENOUGH_REPLICAS')
  events.buffered(1_000)
  events.away('broker 1', new Error('connection refused'))
  events.back('broker 1')
  events.away('appends', new LogError('unavailable', 'NOT_ENOUGH_REPLICAS', { hindrance: 'too_few_replicas' }))
  const text = await metrics.registry.metrics()
  for (const line of [
    'holdfast_kafka_requests_total{kind="append",result="ok"} 1',
    'holdfast_kafka_requests_total{kind="append",result="unavailable"} 1',
    'holdfast_kafka_request_duration_seconds_count{kind="append"} 1',
    'holdfast_kafka_append_records_sum 64',
    'holdfast_kafka_errors_total{kind="append",error="NOT_ENOUGH_REPLICAS"} 1',
    'holdfast_kafka_reader_buffer_bytes 1000',
  ])
    t.ok(text.split('\n').includes(line), line)
  t.match(lines, [
    {
      level: 50,
      url: 'kafka://127.0.0.1:9092/prefix',
      what: 'broker 1',
      reason: 'connection refused',
      msg: 'the log does not answer',
    },
    { level: 30, what: 'broker 1', msg: 'the log answers again' },
    { level: 50, what: 'appends', reason: 'NOT_ENOUGH_REPLICAS', msg: 'the log has too few replicas in sync' },
  ])
})

void t.test('MySQL', async (t) => {
  const metrics = createMetrics()
  const { logger, lines } = notingLogger()
  const events = mysqlEvents(metrics, new Services(logger).outages('store', 'mysql://ann:geheim@127.0.0.1/db'))
  events.retried('deadlock')
  events.connections(3)
  events.requests(2, 1)
  events.roundTrip(0.002)
  events.joined(5, false)
  events.away('database', new Error('ECONNREFUSED'))
  events.back('database')
  events.away('room in the database', new StoreError('unavailable', 'table is full', { hindrance: 'full' }))
  const text = await metrics.registry.metrics()
  for (const line of [
    'holdfast_mysql_retries_total{reason="deadlock"} 1',
    'holdfast_mysql_connections 3',
    'holdfast_mysql_requests_running 2',
    'holdfast_mysql_requests_waiting 1',
    'holdfast_mysql_round_trip_duration_seconds_count 1',
    'holdfast_mysql_commit_slots_sum{result="together"} 5',
  ])
    t.ok(text.split('\n').includes(line), line)
  t.match(lines, [
    {
      level: 50,
      url: 'mysql://127.0.0.1/db',
      what: 'database',
      reason: 'ECONNREFUSED',
      msg: 'the store does not answer',
    },
    { level: 30, what: 'database', msg: 'the store answers again' },
    { level: 50, what: 'room in the database', reason: 'table is full', msg: 'the store is full' },
  ])
})
