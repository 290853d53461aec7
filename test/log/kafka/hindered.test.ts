/**
 * Proves that a broker which is there and takes nothing is told apart from one that is away: once an outage, however many
 * topics it concerns and however often it is tried, and once when it is over. With three real brokers of which two end:
 * test/long/kafka-three-brokers.long.ts.
 */
import t from 'tap'
import { Brokers } from '../../../log/kafka/brokers.ts'
import { ToldEvents } from './tools.ts'

/** KAFKA_STORAGE_ERROR, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT. */
const [storage, replicas, replicasAfter, timedOut] = [56, 19, 20, 7] as const

void t.test('appends that are refused for now', (t) => {
  const events = new ToldEvents()
  const brokers = new Brokers({ brokers: [] }, events)
  const refused = (topic: string, code: number) => brokers.refused('append', topic, 0, code)
  t.match(refused('one', replicas), { code: 'unavailable', hindrance: 'too_few_replicas', message: /NOT_ENOUGH/ })
  t.match(refused('other', replicasAfter), { code: 'unavailable', hindrance: 'too_few_replicas' })
  t.match(refused('other', storage), { code: 'unavailable', hindrance: 'disk', message: /KAFKA_STORAGE_ERROR/ })
  t.same(events.outages, ['away appends'], 'once for all of them')
  brokers.accepted('one')
  t.same(events.outages, ['away appends'], 'reading goes on meanwhile')
  brokers.appended('one')
  t.same(events.outages, ['away appends'], 'the other topic is not taken yet')
  brokers.appended('other')
  brokers.appended('other')
  t.same(events.outages, ['away appends', 'back appends'])
  t.match(refused('one', timedOut), { code: 'unavailable', hindrance: null })
  t.same(events.outages.slice(2), ['away topic one'], 'what may be away is told as before')
  brokers.close()
  t.end()
})
