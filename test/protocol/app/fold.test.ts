/**
 * Proves how an app's handler of single commands is run over a batch: each command sees what the ones before it did, what
 * it was given stays as it was, and an app that does not go on from its channel is told so.
 */
import t from 'tap'
import type { AppCommand, AppMessage, AppState, Effect, Stream } from '../../../protocol/app/contract.ts'
import { fold, goOn, idemKey } from '../../../protocol/app/fold.ts'

const stream: Stream = { epoch: 'e', top: 4, lastTime: 1_000 }
const state: AppState = { worker: 'w', version: 'v', channels: new Map([['room', stream]]), known: new Map() }
const commandOf = (seed: string) => ({ channel: 'room', seed }) as AppCommand

function messageOf(offset: number, given: Partial<AppMessage> = {}): AppMessage {
  const rest = { user: 'u', data: Buffer.from('1'), info: null, tags: null, idem: null }
  return { channel: 'room', offset, id: `${offset}`, time: 1_000, ...rest, ...given }
}

const answered: Effect = { type: 'reply', body: '{}' }

void t.test('each command sees what the ones before it did', async (t) => {
  const seen: { top: number; isKnown: boolean }[] = []
  const key = Buffer.alloc(16, 7)
  const effects = fold(state, ['a', 'b', 'c'].map(commandOf), ({ channels, known }) => {
    const { top } = channels.get('room')!
    seen.push({ top, isKnown: known.has(idemKey('room', key)) })
    return [{ type: 'publish', message: messageOf(top + 1, { idem: key }) }, answered]
  })
  t.strictSame(seen, [
    { top: 4, isKnown: false },
    { top: 5, isKnown: true },
    { top: 6, isKnown: true },
  ])
  t.equal(effects.length, 3, 'one list of effects for each')
  t.strictSame([state.channels.get('room'), state.known.size], [stream, 0], 'what was given stays as it was')
})

void t.test('a key counts in its channel', async (t) => {
  const key = Buffer.from('k')
  t.not(idemKey('a', key), idemKey('b', key))
  t.not(idemKey('a', key), idemKey('a', Buffer.from('l')))
})

void t.test('a message goes on from its channel', async (t) => {
  t.strictSame(goOn(stream, messageOf(5, { time: 2_000 })), { epoch: 'e', top: 5, lastTime: 2_000 })
  for (const wrong of [messageOf(4), messageOf(6), messageOf(5, { time: 999 })])
    t.throws(() => goOn(stream, wrong), { message: /must go on from its channel/ }, `${wrong.offset}, ${wrong.time}`)
  t.throws(() => goOn(undefined, messageOf(1)), { message: /in the channel of its command/ })
})

void t.test('a command is answered exactly once', async (t) => {
  for (const effects of [[], [answered, answered]])
    t.throws(
      () => fold(state, [commandOf('a')], () => effects),
      { message: /exactly once/ },
      `${effects.length} answers`,
    )
})
