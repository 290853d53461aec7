/**
 * The chat page's memory of a room: a message that arrives as a reply, as a publication and in a page of history is
 * there once, in its place and complete, whatever the order and however often they come.
 */
import * as fc from 'fast-check'
import t from 'tap'

interface Message {
  offset: number
  user: string
  data: unknown
  time?: number
  tags?: { worker: string; version: string }
}

interface Timeline {
  merge(messages: Message[]): void
  has(offset: number): boolean
  readonly messages: (Message & { time: number })[]
  readonly lastHandled: Message | undefined
}

// By its address, because the page's scripts are written for browsers and are no part of this program's types.
const script = new URL('../../../../apps/chat/page/static/timeline.js', import.meta.url).href
const { Timeline } = (await import(script)) as { Timeline: new (epoch: string) => Timeline }

const tags = { worker: 'w', version: 'v1' }
/** The same message as a sender's reply, a live publication and a page of history know it. */
const asReply = (offset: number): Message => ({ offset, user: 'Ada', data: { text: `${offset}` } })
const asPublication = (offset: number): Message => ({ ...asReply(offset), tags })
const asHistory = (offset: number): Message => ({ ...asPublication(offset), time: 1000 + offset })

void t.test('each message once, in order and complete, whatever arrives when', async (t) => {
  const arrival = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom(asReply, asPublication, asHistory))
  fc.assert(
    fc.property(fc.array(fc.array(arrival, { maxLength: 6 }), { maxLength: 12 }), (batches) => {
      const timeline = new Timeline('e')
      for (const batch of batches) timeline.merge(batch.map(([offset, as]) => as(offset)))
      const arrivals = batches.flat()
      const offsets = [...new Set(arrivals.map(([offset]) => offset))].sort((one, other) => one - other)
      t.strictSame(
        timeline.messages.map(({ offset }) => offset),
        offsets,
      )
      for (const message of timeline.messages) {
        const seenAs = arrivals.filter(([offset]) => offset === message.offset).map(([, as]) => as)
        t.ok(timeline.has(message.offset))
        t.ok(message.time > 0)
        if (seenAs.includes(asHistory)) t.equal(message.time, 1000 + message.offset)
        if (seenAs.some((as) => as !== asReply)) t.strictSame(message.tags, tags)
      }
    }),
    { numRuns: 50 },
  )
})

void t.test('the newest message that says so tells who handled it', async (t) => {
  const timeline = new Timeline('e')
  t.equal(timeline.lastHandled, undefined)
  timeline.merge([asHistory(2), asReply(3), asHistory(1)])
  t.equal(timeline.lastHandled?.offset, 2)
})
