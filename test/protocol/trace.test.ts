import t from 'tap'
import { decodeCommand } from '../../protocol/records/command.ts'
import { decodeEnvelope, encodeEnvelope } from '../../protocol/records/envelope.ts'
import { traceContextOf } from '../../protocol/trace.ts'
import { commandOf } from '../support/records.ts'

const context = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

void t.test('a trace context is a traceparent of version 00; anything else is none', async (t) => {
  t.equal(traceContextOf(context), context)
  const others = ['', `${context} `, context.toUpperCase(), context.replace('00-', 'ff-'), context.slice(1), 7, null]
  for (const other of others) t.equal(traceContextOf(other), undefined, String(other))
})

void t.test(
  'a command without one is written as ever; one that cannot be read costs the command nothing',
  async (t) => {
    const value = commandOf({ channel: 'room', n: 1 })
    const { header, payload } = decodeEnvelope(value)
    t.notOk('tp' in (header as object))
    t.equal(decodeCommand(encodeEnvelope({ ...(header as object), tp: context }, payload)).trace, context)
    t.same(decodeCommand(encodeEnvelope({ ...(header as object), tp: { not: 'one' } }, payload)), decodeCommand(value))
  },
)
