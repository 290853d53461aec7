// Proves that what a message counts for where answers and events are bounded is never less than what clients get of it.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { answerRead } from '../../../apps/chat/reads.ts'
import { publicationJson } from '../../../protocol/client/publication.ts'
import { decodeCommand } from '../../../protocol/records/command.ts'
import { messageBytes } from '../../../store/message-size.ts'
import type { Message } from '../../../store/store.ts'
import { appCommand } from '../../../worker/slot/handle.ts'
import { holds } from '../../support/holds.ts'
import { commandOf } from '../../support/records.ts'

const text = fc.string({ unit: 'binary', maxLength: 60 })
const json = fc.jsonValue().map((value) => JSON.stringify(value))
const integer = fc.maxSafeNat()
const message: fc.Arbitrary<Message> = fc.record({
  channel: text,
  offset: integer,
  id: text,
  kind: fc.constant('message' as const),
  user: text,
  data: json.map((data) => Buffer.from(data)),
  info: fc.option(json),
  tags: fc.option(json),
  time: integer,
  idem: fc.constant(null),
})

void t.test('in every form', async (t) => {
  const stream = { epoch: '', top: 0, lastTime: 0 }
  const page = appCommand(decodeCommand(commandOf({ channel: 'room', n: 1, method: 'chat.messages' })))
  holds(
    t,
    fc.property(message, (message) => {
      const bytes = messageBytes(message)
      assert.ok(Buffer.byteLength(publicationJson(message)) <= bytes)
      const answer = answerRead({ command: page, stream }, [message])
      assert.ok(Buffer.byteLength(answer.body) <= bytes + '{"messages":[],"epoch":"","top":0}'.length)
    }),
  )
})
