/** The engine takes nothing for a message that is none: a kind it does not know, a member that is missing or wrong. */
import t from 'tap'
import { isClientMessage, type ClientMessage } from '../../engine/messages.ts'

const messages: ClientMessage[] = [
  ['hello', 'a client'],
  ['request', 1, 'log', 'range', []],
  ['request', 1, 'store', 'lease', ['default/0', null, undefined]],
  ['follow', 1, 'topic', 0, 0, 1],
  ['credit', 1, 1],
  ['unfollow', 1],
]
const wrong: unknown[] = [null, undefined, NaN, 0.5, 2 ** 53, 1n, true, {}, { toString: [] }, new Map(), Array(9)]

void t.test('each kind, and what is wrong with it', async (t) => {
  for (const message of messages) {
    t.ok(isClientMessage(message))
    t.notOk(isClientMessage([...message, 1]), 'one more')
    t.notOk(isClientMessage(message.slice(0, -1)), 'one less')
    for (const at of message.keys()) {
      for (const value of wrong) {
        const changed = message.map((member: unknown, index) => (index === at ? value : member))
        t.notOk(isClientMessage(changed), `${message[0]}, ${at}: ${typeof value}`)
      }
    }
  }
})

void t.test('what is no list, or of no kind', async (t) => {
  for (const value of [...wrong, [], ['answer', 1, 1], ['constructor'], [['hello'], 'a client'], 'hello', 7]) {
    t.notOk(isClientMessage(value))
  }
})
