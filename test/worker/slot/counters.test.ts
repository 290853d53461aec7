/**
 * Proves what a worker says of its work in heartbeats: commands by what came of them, answers that name another message,
 * times, and rooms, a bounded number of them; so that versions can be compared without anything else.
 */
import t from 'tap'
import { chat } from '../../../apps/chat/chat.ts'
import type { App, AppCommand, AppState, Effect } from '../../../protocol/app/contract.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { lateMs, timeBucket, timeBuckets } from '../../../protocol/records/counters.ts'
import { Counters, methodsMax } from '../../../worker/slot/counters.ts'
import { handleCommands } from '../../../worker/slot/handle.ts'
import { roomsMax, roomsPerBeat } from '../../../worker/slot/room-tallies.ts'

const encode = (data: unknown) => Buffer.from(JSON.stringify(data))

let seed = 0
function command(method: string, data: unknown, channel = 'r'): AppCommand {
  return {
    channel,
    method,
    user: 'u',
    session: 's',
    connInfo: null,
    time: 1,
    seed: (++seed).toString(16).padStart(24, '0'),
    history: { size: 10, ttlMs: 0 },
    data: encode(data),
  }
}

function stateOf(commands: AppCommand[]): AppState {
  const channels = new Map(commands.map(({ channel }) => [channel, { epoch: 'e', top: 4, lastTime: 0 }]))
  return { worker: 'w', version: 'v', channels, known: new Map() }
}

async function handled(counters: Counters, commands: AppCommand[], app: App = chat): Promise<void> {
  const state = stateOf(commands)
  const outcomes = await handleCommands(app, state, commands)
  counters.handled({ app, state, commands, outcomes, tookMs: 1 })
}

/** The chat with other effects than its own. */
function chatThat(change: (effects: Effect[], command: AppCommand) => Effect[]): App {
  return {
    ...chat,
    handle: async (state, commands) => {
      const effects = await chat.handle(state, commands)
      return effects.map((each, index) => change(each, commands[index]!))
    },
  }
}

void t.test('commands count by their method and by what came of them', async (t) => {
  const counters = new Counters()
  await handled(counters, [
    command('publish', 'a'),
    command('publish', 'b'),
    command('history', { limit: 1 }),
    command('chat.send', { channel: 'r' }),
    command('nothing like it', {}),
  ])
  const { work } = counters
  t.match(work, { commands: 5, errors: 0, violations: 0, effects: { publish: 2, reply: 2, fail: 2, read: 1 } })
  t.strictSame(work.methods['publish'], { commands: 2, errors: 0, refused: 0, silent: 0, several: 0 })
  t.strictSame(work.methods['history'], { commands: 1, errors: 0, refused: 0, silent: 0, several: 0 })
  t.strictSame(work.methods['chat.send'], { commands: 1, errors: 0, refused: 1, silent: 0, several: 0 })
})

void t.test('what the app throws at, and what it answers with an internal error, are errors', async (t) => {
  const counters = new Counters()
  const app = chatThat((effects, { data }) => {
    if (data.toString() === '"throw"') throw new Error('no')
    return data.toString() === '"fail"' ? [{ type: 'fail', error: errors.internal }] : effects
  })
  await handled(counters, [command('publish', 'throw'), command('publish', 'fail'), command('publish', 'fine')], app)
  t.match(counters.work, { commands: 3, errors: 2, methods: { publish: { commands: 3, errors: 2, refused: 0 } } })
})

void t.test('a command that is answered as done without its message is silent', async (t) => {
  const counters = new Counters()
  const app = chatThat((effects) => effects.filter(({ type }) => type !== 'publish'))
  await handled(counters, [command('publish', 'a')], app)
  t.match(counters.work.methods, { publish: { commands: 1, silent: 1 } })
})

void t.test('a key that led to an earlier message is not silent, in the same batch or in a later one', async (t) => {
  const counters = new Counters()
  const send = () => command('chat.send', { channel: 'r', key: 'k', data: 1 })
  const [first, second] = [send(), send()]
  await handled(counters, [first, second])
  const state = stateOf([first])
  const outcomes = await handleCommands(chat, state, [first])
  const [published] = outcomes[0]!.effects
  if (published?.type !== 'publish') throw new Error('no message')
  const known = new Map([[`${published.message.idem!.toString('hex')} r`, published.message]])
  const later = { ...state, known }
  const again = await handleCommands(chat, later, [second])
  counters.handled({ app: chat, state: later, commands: [second], outcomes: again, tookMs: 1 })
  t.match(counters.work, { commands: 3, violations: 0, methods: { 'chat.send': { commands: 3, silent: 0 } } })
})

void t.test('a message too many counts too', async (t) => {
  const counters = new Counters()
  const app = chatThat((effects) =>
    effects.flatMap((effect): Effect[] =>
      effect.type === 'publish'
        ? [effect, { ...effect, message: { ...effect.message, offset: effect.message.offset + 1, id: 'again' } }]
        : [effect],
    ),
  )
  await handled(counters, [command('publish', 'a')], app)
  t.match(counters.work.methods, { publish: { commands: 1, several: 1, silent: 0 } })
})

void t.test('an answer that names another message than its own is a violation', async (t) => {
  const answering = (body: string) => chatThat((effects) => [effects[0]!, { type: 'reply', body }])
  const send = () => command('chat.send', { channel: 'r', key: 'k', data: 1 })
  for (const [body, violations] of [
    ['{"epoch":"e","offset":5}', 0],
    ['{"epoch":"e","offset":6}', 1],
    ['{"epoch":"other","offset":5}', 1],
    ['{"offset":4}', 1],
    ['{"epoch":"e","offset":56}', 1],
    ['{"id":"i","offset":5,"epoch":"e"}', 0],
    ['{"epoch":"e","offset":6,"of":{"offset":5}}', 1],
    ['{"epoch":"other","offset":5,"of":{"epoch":"e"}}', 1],
    ['{ "epoch": "e", "offset": 5 }', 0],
    ['{ "epoch": "e", "offset": 4 }', 1],
    ['{"deeper":{"offset":1}}', 0],
    ['{"offset":"1"}', 0],
    ['{"offset"', 0],
    ['null', 0],
    ['{}', 0],
  ] as const) {
    const counters = new Counters()
    await handled(counters, [send()], answering(body))
    t.equal(counters.work.violations, violations, body)
  }
})

void t.test('the answer to a repeated key names the message that there was', async (t) => {
  const counters = new Counters()
  const app = chatThat((effects) =>
    effects.some(({ type }) => type === 'publish') ? effects : [{ type: 'reply', body: '{"epoch":"e","offset":9}' }],
  )
  const send = () => command('chat.send', { channel: 'r', key: 'k', data: 1 })
  await handled(counters, [send(), send()], app)
  t.equal(counters.work.violations, 1)
})

void t.test('methods beyond the bound count as one', async (t) => {
  const counters = new Counters()
  const many = Array.from({ length: methodsMax + 5 }, (_, index) => command(`m${index}`, {}))
  await handled(counters, many)
  const { methods } = counters.work
  t.equal(Object.keys(methods).length, methodsMax + 1)
  t.match(methods['other'], { commands: 5, refused: 5 })
})

void t.test('times count in buckets, each √2 times the one before', async (t) => {
  t.equal(timeBucket(0), 0)
  for (const [index, ms] of timeBuckets.entries()) {
    t.equal(timeBucket(ms), index, `${ms} ms`)
    t.equal(timeBucket(ms * 1.01), index + 1, `more than ${ms} ms`)
  }
  t.equal(timeBucket(1e9), timeBuckets.length)
  const counters = new Counters()
  counters.committed(['r'], timeBuckets[2]!)
  t.strictSame(counters.work.batch, [0, 0, 1])
  t.strictSame(counters.work.handle, [])
})

void t.test('rooms are told as they move, with how often they had to wait', async (t) => {
  const counters = new Counters()
  await handled(counters, [command('publish', 'a', 'one'), command('publish', 'b', 'two')])
  counters.committed(['one', 'one'], lateMs[1]! + 1)
  const told = { commands: 1, errors: 0, refused: 0, silent: 0, several: 0, violations: 0 }
  t.strictSame(counters.takeRooms(), [
    { room: 'one', ...told, late: [2, 2, 0] },
    { room: 'two', ...told, late: [0, 0, 0] },
  ])
  t.strictSame(counters.takeRooms(), [])
  await handled(counters, [command('publish', 'c', 'two')])
  t.strictSame(counters.takeRooms(), [{ room: 'two', ...told, commands: 2, late: [0, 0, 0] }])
})

void t.test('a beat tells of so many rooms, the next of the others, and rooms are bounded', async (t) => {
  const counters = new Counters()
  const rooms = Array.from({ length: roomsMax + 10 }, (_, index) => `r${index}`)
  await handled(
    counters,
    rooms.map((room) => command('publish', 1, room)),
  )
  const told = new Set<string>()
  for (let beats = 0; told.size < roomsMax; beats++) {
    const taken = counters.takeRooms()
    t.ok(taken.length > 0 && taken.length <= roomsPerBeat.rooms)
    t.ok(Buffer.byteLength(JSON.stringify(taken)) <= roomsPerBeat.bytes + 2)
    for (const { room } of taken) told.add(room)
  }
  t.strictSame(counters.takeRooms(), [])
  t.notOk(told.has('r0'), 'the one that was used longest ago is forgotten')
})
