/**
 * Proves that an app which fails costs only the commands to blame: whatever it does wrong, each of those gets an error and
 * a reason, and every other one has the effects that it would have had without them.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { App, AppCommand, AppState, Effect } from '../../../protocol/app/contract.ts'
import { errors } from '../../../protocol/client/codes.ts'
import { messageBytesMax } from '../../../protocol/records/sizes.ts'
import { handleCommands, setAside } from '../../../worker/slot/handle.ts'

const state: AppState = {
  worker: 'w',
  version: 'v',
  channels: new Map([['room', { epoch: 'e', top: 4, lastTime: 0 }]]),
  known: new Map(),
}

function commandOf(data: string): AppCommand {
  const from = { channel: 'room', method: 'publish', user: 'u', session: 's', connInfo: null, time: 1, seed: '0' }
  return { ...from, history: { size: 0, ttlMs: 0 }, data: Buffer.from(data) }
}

/** Publishes what it is shown as the next message of the room, and says where it is. */
function published(offset: number, { channel, data }: AppCommand): Effect[] {
  const whose = { user: 'u', info: null, tags: null, time: 1, idem: null }
  return [
    { type: 'publish', message: { channel, offset, id: `${offset}`, data, ...whose } },
    { type: 'reply', body: String(offset) },
  ]
}

/** What an app can do wrong, by what the command says. */
const faults: Record<string, (effects: Effect[]) => Effect[]> = {
  throws: () => {
    throw new Error('of its own')
  },
  'answers twice': (effects) => [...effects, { type: 'reply', body: '{}' }],
  'does not answer': (effects) => effects.slice(0, 1),
  'leaves a hole': () => published(99, commandOf('-')),
  'publishes elsewhere': () => published(1, { ...commandOf('-'), channel: 'elsewhere' }),
  'says too much': () => [{ type: 'reply', body: 'x'.repeat(messageBytesMax + 1) }],
}

const app = {
  handle: ({ channels }: AppState, commands: AppCommand[]) => {
    let { top } = channels.get('room')!
    return commands.map((command) => {
      const fault = faults[command.data.toString()]
      const effects = published(top + 1, command)
      if (fault) return fault(effects)
      top++
      return effects
    })
  },
} as unknown as App

void t.test('each fault is told of its command alone', async (t) => {
  const reasons: Record<string, RegExp> = {
    throws: /^app: of its own$/,
    'answers twice': /exactly once/,
    'does not answer': /exactly once/,
    'leaves a hole': /go on from its channel/,
    'publishes elsewhere': /in the channel of its command/,
    'says too much': /is the most/,
  }
  for (const [fault, reason] of Object.entries(reasons)) {
    const [before, blamed, after] = await handleCommands(app, state, ['a', fault, 'b'].map(commandOf))
    t.match(blamed, { effects: [{ type: 'fail', error: errors.deadLetter }], failure: reason }, fault)
    t.match([before, after], [{ failure: null }, { failure: null }])
    t.match(after!.effects.at(-1), { body: '6' }, 'it takes no offset')
  }
})

void t.test('an app that answers too few, or only sometimes', async (t) => {
  const short = { ...app, handle: () => [] }
  t.match(await handleCommands(short, state, [commandOf('a')]), [{ failure: /one list of effects per command/ }])
  const moody: App = {
    ...app,
    handle: (given, commands) => {
      if (commands.length > 1) throw new Error('one at a time, please')
      return app.handle(given, commands)
    },
  }
  const outcomes = await handleCommands(moody, state, ['a', 'b'].map(commandOf))
  t.match(outcomes, [{ failure: null }, { failure: null }], 'nobody is to blame')
  t.strictSame(await handleCommands(short, state, []), [], 'it is not even asked')
})

void t.test('why is kept, but not at any length', async (t) => {
  const talkative = { ...app, handle: () => Promise.reject(new Error('x'.repeat(100_000))) }
  const [outcome] = await handleCommands(talkative, state, [commandOf('a')])
  t.ok(outcome!.failure!.length <= 1_000)
  t.match(setAside('why'), { failure: 'why', effects: [{ type: 'fail' }] })
})

void t.test('whatever goes wrong among them, the others have the effects that they would have had alone', async (t) => {
  const said = fc.constantFrom('a', 'b', 'c', ...Object.keys(faults))
  await fc.assert(
    fc.asyncProperty(fc.array(said, { maxLength: 12, size: 'max' }), async (batch) => {
      const outcomes = await handleCommands(app, state, batch.map(commandOf))
      const isGood = (text: string) => !(text in faults)
      const alone = await handleCommands(app, state, batch.filter(isGood).map(commandOf))
      assert.deepEqual(
        outcomes.filter(({ failure }) => failure === null),
        alone,
      )
      assert.deepEqual(
        outcomes.map(({ failure }) => failure === null),
        batch.map(isGood),
      )
    }),
  )
  t.pass('held')
})
