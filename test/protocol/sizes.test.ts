// Proves that every bound on sizes is below the next one up, from what a client may send to what a topic takes, so that
// what passed one is never refused at the next.
import t from 'tap'
import { appendBatchMax } from '../../log/append-lane.ts'
import { requestBytesMax } from '../../log/kafka/producing.ts'
import { batchRoom } from '../../log/kafka/wire/record-batch.ts'
import {
  appendBytesMax,
  clientMessageBytesMax,
  commandBytesMax,
  messageBytesMax,
  recordBytesMax,
  recordOverheadBytes,
  topicBatchBytesMin,
  userBytesMax,
} from '../../protocol/sizes.ts'

t.test('the chain', async (t) => {
  const chain = {
    'a user id': userBytesMax,
    "a client's message": clientMessageBytesMax,
    'its command': commandBytesMax,
    'the message that it makes': messageBytesMax,
    'any record': recordBytesMax,
    'what a lane appends at once': appendBatchMax.bytes,
    "a batch of Kafka's": requestBytesMax.partition,
    'an append that every log takes': appendBytesMax,
    'what a topic takes': topicBatchBytesMin,
  }
  const links = Object.entries(chain)
  for (const [index, [what, bytes]] of links.entries()) {
    const next = links[index + 1]
    if (next) t.ok(bytes < next[1], `${what} (${bytes}) is below ${next[0]} (${next[1]})`)
  }
  t.ok(requestBytesMax.partition < requestBytesMax.all)
})

t.test('what an append counts for is more than Kafka makes of it', async (t) => {
  for (const count of [1, 2, appendBatchMax.entries, 5_000]) {
    const bytes = Math.floor(appendBytesMax / count) - recordOverheadBytes
    const entries = Array.from({ length: count }, () => ({ key: null, value: Buffer.alloc(bytes) }))
    t.ok(batchRoom(entries) <= topicBatchBytesMin, `${count} records`)
  }
})
