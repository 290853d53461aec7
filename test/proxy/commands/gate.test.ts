/**
 * Proves when a command is in time: connect comes first and once, everything else after it. One that is not closes the
 * connection before anything else is asked of it.
 */
import t from 'tap'
import type { ClientCommand } from '../../../protocol/client/command.ts'
import type { Session } from '../../../proxy/sessions/session.ts'
import { commandOf, performed } from './performed.ts'

const phases: Session['phase'][] = ['new', 'connected', 'refused', 'closed']
const closed = ['closed: bad request']
const methods = Object.keys(commandOf) as ClientCommand['method'][]

void t.test('connect comes first, and once', async (t) => {
  t.strictSame(performed(commandOf.connect, 'new'), ['reply'])
  for (const phase of phases.slice(1)) t.strictSame(performed(commandOf.connect, phase), closed, phase)
})

void t.test('everything else comes after it', async (t) => {
  for (const method of methods.filter((each) => each !== 'connect' && each !== 'pong')) {
    for (const phase of phases) {
      const said = performed(commandOf[method], phase)
      if (phase === 'connected') t.notSame(said, closed, method)
      else t.strictSame(said, closed, `${method} when ${phase}: nothing else is asked`)
    }
  }
})

void t.test('a pong comes whenever a ping was sent, and not without one', async (t) => {
  for (const phase of phases) {
    t.strictSame(performed(commandOf.pong, phase), [], phase)
    t.strictSame(performed(commandOf.pong, phase, { isPongExpected: false }), closed, phase)
  }
})
