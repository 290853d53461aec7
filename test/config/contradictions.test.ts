/** Proves that limits which contradict each other are warned of by name, and that those we ship do not. */
import t from 'tap'
import { loadConfig } from '../../config/load.ts'

const warningsOf = (flags: Record<string, string>, dev = false) =>
  loadConfig({ env: {}, flags, cwd: t.testdirName, dev }).warnings

void t.test('the defaults have none', async (t) => {
  t.same(warningsOf({}), [])
  t.same(warningsOf({}, true), [], 'of holdfast dev neither')
})

void t.test('each pair', async (t) => {
  const namespaces = '[{"name":"ns","history_size":400,"history_ttl":"1h","force_recovery":true}]'
  const cases: [Record<string, string>, string, string][] = [
    [{ 'client.reply_deadline': '5s' }, 'client.reply_deadline', '5s'],
    [{ 'client.channel_limit': '1000' }, 'client.channel_limit', 'websocket.message_size_limit, 65536'],
    [
      { 'websocket.message_size_limit': '900000', 'client.command_burst': '219' },
      'websocket.message_size_limit',
      'client.command_burst is 219',
    ],
    [{ 'client.queue_max_size': '65535' }, 'websocket.message_size_limit', 'client.queue_max_size, 65535'],
    [{ 'proxy.in_flight_max': '799' }, 'client.command_burst', 'proxy.in_flight_max, 799'],
    [
      { 'client.connection_limit': '10', 'client.address_connection_limit': '11' },
      'client.address_connection_limit',
      'client.connection_limit, 10',
    ],
    [{ 'worker.heartbeat_interval': '601ms' }, 'worker.heartbeat_interval', 'controller.death_time 1200ms'],
    [{ 'proxy.heartbeat_interval': '5001ms' }, 'proxy.heartbeat_interval', 'controller.proxy_death_time 10s'],
    [{ 'shutdown.jitter': '10s' }, 'shutdown.jitter', 'shutdown.timeout, 10s'],
    [
      { 'channel.namespaces': namespaces },
      'channel.namespaces[0].history_size',
      'client.recovery_max_publication_limit, 300',
    ],
  ]
  for (const [flags, first, second] of cases) {
    const warnings = warningsOf(flags)
    const [warning = ''] = warnings
    t.equal(warnings.length, 1, `${JSON.stringify(flags)}: ${warnings.join('; ')}`)
    t.ok(warning.startsWith(first), warning)
    t.ok(warning.includes(second), warning)
  }
})

void t.test('at the bound there is none', async (t) => {
  const fits = {
    'client.reply_deadline': '4999ms',
    'client.channel_limit': '655',
    'client.queue_max_size': '65536',
    'proxy.in_flight_max': '800',
    'worker.heartbeat_interval': '600ms',
    'shutdown.jitter': '9999ms',
  }
  t.same(warningsOf(fits), [])
})
