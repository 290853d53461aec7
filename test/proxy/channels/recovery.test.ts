/**
 * Proves the arithmetic of recovery against its definition (isStreamRecovered of centrifuge): for any stream, window
 * and position, a client gets exactly what it missed, or nothing of it and the word that it did not recover; and
 * whatever is published meanwhile follows without a gap and without a duplicate.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { StreamPosition } from '../../../protocol/stream.ts'
import { decideRecovery } from '../../../proxy/channels/recovery.ts'
import type { Client } from '../../harness/clients/client.ts'
import { InProcessCluster } from '../../harness/in-process-cluster.ts'
import { holds } from '../../support/holds.ts'
import { until } from '../../support/until.ts'

/** What history and one recovery may show. */
const historySize = 6
const recoveryLimit = 4

interface Stream {
  epoch: string
  top: number
}

/** The rule by the letter: publications after the offset are all there and begin right after it, or there are none. */
function isStreamRecovered({ epoch, offset }: StreamPosition, stream: Stream, oldest: number): boolean {
  const kept = Array.from({ length: stream.top - oldest + 1 }, (_, at) => oldest + at)
  const missed = kept.filter((each) => each > offset)
  if (epoch !== '' && epoch !== stream.epoch) return false
  return missed.length === 0 ? stream.top === offset : missed[0] === offset + 1 && missed.at(-1) === stream.top
}

const offsets = fc.integer({ min: 0, max: 12 })
const epochs = fc.constantFrom('', 'e', 'other', '_')

void t.test('by example: level, behind, or lost', async (t) => {
  const stream = { epoch: 'e', top: 5 }
  t.equal(decideRecovery(null, stream), 'fresh')
  t.equal(decideRecovery({ epoch: 'e', offset: 5 }, stream), 'level')
  t.equal(decideRecovery({ epoch: '', offset: 5 }, stream), 'level')
  for (const offset of [0, 4]) t.equal(decideRecovery({ epoch: 'e', offset }, stream), 'behind')
  t.equal(decideRecovery({ epoch: 'e', offset: 6 }, stream), 'lost')
  for (const offset of [0, 5, 6]) t.equal(decideRecovery({ epoch: '_', offset }, stream), 'lost')
})

void t.test('what a position needs', async (t) => {
  holds(
    t,
    fc.property(epochs, offsets, offsets, (epoch, offset, top) => {
      const stream = { epoch: 'e', top }
      const decision = decideRecovery({ epoch, offset }, stream)
      const everything = isStreamRecovered({ epoch, offset }, stream, 1)
      assert.equal(decision !== 'lost', everything, 'where nothing was forgotten')
      assert.equal(decision === 'level', everything && offset === top)
      assert.equal(decideRecovery(null, stream), 'fresh')
    }),
    { numRuns: 1_000 },
  )
})

interface Subscribed {
  epoch: string
  offset: number
  recovered?: true
  was_recovering?: true
  publications?: { offset: number }[]
}

const offsetsOf = (publications: { offset: number }[] | undefined): number[] =>
  (publications ?? []).map(({ offset }) => offset)
const range = (after: number, upTo: number): number[] => Array.from({ length: upTo - after }, (_, at) => after + 1 + at)

/** A client comes from somewhere, while others publish. */
interface Coming {
  publishedBefore: number
  epoch: string
  /** Behind the top; below 0 is ahead of it. */
  behind: number
  publishedMeanwhile: number
}

const coming: fc.Arbitrary<Coming> = fc.record({
  publishedBefore: fc.nat({ max: 4 }),
  epoch: fc.constantFrom('same', 'same', 'same', '', 'other'),
  behind: fc.integer({ min: -2, max: 9 }),
  publishedMeanwhile: fc.nat({ max: 3 }),
})

void t.test('any client that comes from anywhere', async (t) => {
  const namespaces = [
    {
      name: 'room',
      allow_subscribe_for_client: true,
      allow_publish_for_subscriber: true,
      history_size: historySize,
      history_ttl: '1h',
      force_recovery: true,
    },
  ]
  await using cluster = new InProcessCluster({
    'channel.namespaces': JSON.stringify(namespaces),
    'client.recovery_max_publication_limit': String(recoveryLimit),
    'client.command_rate': '1000000',
    'client.command_burst': '1000000',
  })
  await cluster.controller()
  await cluster.worker()
  await cluster.owned()
  const proxy = await cluster.proxy()
  let run = 0
  const seen = { recovered: 0, lost: 0 }

  async function comes(publisher: Client, channel: string, stream: Stream, each: Coming): Promise<void> {
    for (let i = 0; i < each.publishedBefore; i++) await publisher.publish(channel, 0)
    stream.top += each.publishedBefore
    const from = {
      epoch: each.epoch === 'same' ? stream.epoch : each.epoch,
      offset: Math.max(0, stream.top - each.behind),
    }
    const client = await cluster.client(proxy)
    const id = client.send({ subscribe: { channel, recover: true, ...from } })
    const meanwhile = Array.from({ length: each.publishedMeanwhile }, () => publisher.publish(channel, 0))
    await Promise.all(meanwhile)
    const before = stream.top
    stream.top += each.publishedMeanwhile
    await until('it is answered', () => client.replies.has(id))
    const reply = client.replies.get(id)!.subscribe as Subscribed
    const position = reply.recovered ? from.offset + offsetsOf(reply.publications).length : reply.offset
    const live = (): number[] => offsetsOf(client.received.get(channel))
    await until('it has what follows', () => live().length >= stream.top - position)

    assert.equal(reply.was_recovering, true)
    assert.equal(reply.epoch, stream.epoch)
    assert.deepEqual(live(), range(position, stream.top), 'what follows, once and in order')
    if (reply.recovered) {
      assert.equal(reply.offset, from.offset)
      assert.deepEqual(offsetsOf(reply.publications), range(from.offset, position), 'all that was missed')
      assert.ok(position - from.offset <= recoveryLimit)
    } else assert.equal(reply.publications, undefined, 'never a part of it')
    if (each.publishedMeanwhile === 0) {
      const oldest = Math.max(1, before - historySize + 1)
      const isWithin = before - from.offset <= recoveryLimit
      assert.equal(reply.recovered ?? false, isWithin && isStreamRecovered(from, stream, oldest))
    }
    seen[reply.recovered ? 'recovered' : 'lost']++
    client.drop()
  }

  await fc.assert(
    fc.asyncProperty(fc.array(coming, { minLength: 1, maxLength: 6 }), async (comings) => {
      const channel = `room:${run++}`
      const publisher = await cluster.client(proxy)
      const { epoch } = (await publisher.subscribe(channel)).subscribe as Subscribed
      const stream = { epoch, top: 0 }
      for (const each of comings) await comes(publisher, channel, stream, each)
      assert.deepEqual(offsetsOf(publisher.received.get(channel)), range(0, stream.top))
      publisher.drop()
    }),
    { numRuns: 60 },
  )
  t.ok(seen.recovered > 20 && seen.lost > 20, JSON.stringify(seen))
})
