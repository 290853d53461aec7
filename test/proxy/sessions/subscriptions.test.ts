// Proves how many subscriptions a session and a user may have at a proxy, whoever comes and goes.
import * as fc from 'fast-check'
import t from 'tap'
import type { Session } from '../../../proxy/sessions/session.ts'
import { Subscriptions } from '../../../proxy/sessions/subscriptions.ts'
import { holds } from '../../support/holds.ts'

const sessionOf = (user: string) => ({ user, channels: new Set<string>() }) as Session

t.test('whatever sessions do', async (t) => {
  const step = fc.record({
    session: fc.nat({ max: 5 }),
    channel: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    act: fc.constantFrom('add', 'add', 'add', 'delete', 'clear'),
  })
  const property = fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
    const subscriptions = new Subscriptions(3, 7)
    const sessions = ['ann', 'ann', 'ann', 'ann', 'bob', ''].map(sessionOf)
    const ofUser = (user: string) =>
      sessions.filter((each) => each.user === user).reduce((sum, { channels }) => sum + channels.size, 0)
    return steps.every(({ session: index, channel, act }) => {
      const session = sessions[index]!
      const { size } = session.channels
      const had = session.channels.has(channel)
      const before = ofUser(session.user)
      if (act === 'clear') subscriptions.clear(session)
      else if (act === 'delete') return subscriptions.delete(session, channel) === had
      else if (!had) {
        const mayHave = size < 3 && (session.user === '' || before < 7)
        return subscriptions.add(session, channel) === mayHave && session.channels.size === size + (mayHave ? 1 : 0)
      }
      return true
    })
  })
  holds(t, property)
})

t.test('one connection may have its own limit, whatever that of its user', async (t) => {
  const few = new Subscriptions(3, 1)
  const session = sessionOf('ann')
  t.same(
    ['a', 'b', 'c', 'd'].map((channel) => few.add(session, channel)),
    [true, true, true, false],
  )
  const any = new Subscriptions(3, 0)
  const sessions = Array.from({ length: 100 }, () => sessionOf('ann'))
  t.ok(sessions.every((each) => ['a', 'b', 'c'].every((channel) => any.add(each, channel))))
})
