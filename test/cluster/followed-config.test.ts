// Proves that a process whose configuration cannot be followed goes on with the last that could, says so, counts it, and is
// not made to say more than a line by whatever stands there.
import t from 'tap'
import { FollowedConfig, rejectedLengthMax } from '../../cluster/followed-config.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { FormatError } from '../../protocol/records/errors.ts'
import { faultsMax } from '../../protocol/records/fault.ts'
import type { Fault } from '../../protocol/records/fault.ts'
import { testEnv, testFaults } from '../harness/env.ts'

const good: Fault = { name: 'good', stage: 'db', delay: { percentage: 100, fixedDelay: 5 }, seed: 0 }
const key = Buffer.from('config')

function followed() {
  const metrics = createMetrics()
  const faults = testFaults({ metrics })
  let said = 0
  const config = new FollowedConfig(testEnv({ metrics, faults }), () => said++)
  const tell = (revision: number, rules: readonly unknown[], term = 1) =>
    config.heard({ type: 'config', term, revision, faults: rules as Fault[] })
  const isStruck = () => faults.strike('db', [{}], { of: 'default/0' }) !== null
  const rejects = async () => (await metrics.configRejects.get()).values[0]!.value
  return { config, tell, isStruck, rejects, said: () => said }
}

void t.test('it has what could be followed last, and says which it does not follow and why', async (t) => {
  const { config, tell, isStruck, rejects, said } = followed()
  t.strictSame(config.member, {})
  tell(7, [good])
  t.strictSame(config.member, { config: { revision: 7 } })
  const others: [unknown[], RegExp][] = [
    [[null], /fault is not an object/],
    [[{ ...good, seed: 'x' }], /seed is not a count/],
    [[{ ...good, match: { user: { regex: '(' } } }], /\(/],
    [Array.from({ length: faultsMax + 1 }, (_, index) => ({ ...good, name: String(index) })), /65 faults are too many/],
  ]
  for (const [index, [rules, why]] of others.entries()) {
    tell(8 + index, rules)
    t.match(config.member, { config: { revision: 8 + index, rejected: why } })
    t.ok(isStruck(), 'what was set is still set')
    t.equal(await rejects(), index + 1)
  }
  tell(20, [])
  t.strictSame(config.member, { config: { revision: 20 } })
  t.notOk(isStruck())
  t.equal(said(), others.length + 2, 'each of them is news')
})

void t.test('what cannot be read in its place is rejected too; elsewhere it is nothing to it', async (t) => {
  const { config, tell, isStruck, rejects } = followed()
  t.ok(config.unreadable(key, new FormatError('record is not JSON')), 'before the first there is none to go on with')
  t.strictSame(config.member, { config: { revision: 0, rejected: 'record is not JSON' } })
  tell(7, [good])
  t.ok(config.unreadable(key, new FormatError('record is not JSON')))
  t.strictSame(config.member, { config: { revision: 7, rejected: 'record is not JSON' } })
  t.notOk(config.unreadable(Buffer.from('slot/default/0'), new FormatError('no')))
  t.notOk(config.unreadable(null, new FormatError('no')))
  t.ok(isStruck())
  t.equal(await rejects(), 2)
})

void t.test('one of a term that is over changes nothing', async (t) => {
  const { config, tell, isStruck } = followed()
  tell(7, [good], 3)
  tell(8, [], 2)
  t.strictSame(config.member, { config: { revision: 7 } })
  t.ok(isStruck())
})

void t.test('why it is rejected is one short line, whatever it names', async (t) => {
  const { config, tell } = followed()
  tell(1, [{ ...good, match: { [`\u001b[2J\n${'x'.repeat(10_000)}`]: {} } }])
  const { rejected = '' } = config.member.config!
  t.equal(rejected.length, rejectedLengthMax)
  t.notMatch(rejected, /\p{Cc}/u)
})
