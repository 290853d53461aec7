/** Proves that metrics keep their promises to dashboards: names, units, help, and labels that stay few. */
import { Registry } from 'prom-client'
import t from 'tap'
import { collectProcessMetrics, createMetrics } from '../../observability/metrics.ts'

interface Described {
  name: string
  help: string
  type: unknown
  labelNames?: readonly string[]
}

/** Labels whose values are few by their nature; never a channel, user, session or message. */
const bounded = [
  'code',
  'command',
  'destination_version',
  'error',
  // Those that somebody sets, so many at a time.
  'fault',
  'kind',
  'method',
  // Of rollouts, and of what they are at: few at a time.
  'name',
  'outcome',
  'group',
  'phase',
  'protocol',
  'reason',
  'result',
  'role',
  'route',
  'stage',
  'status',
  'step',
  'strategy',
  'topic',
  'type',
  'version',
]

void t.test('every metric', async (t) => {
  const { registry, ...metrics } = createMetrics()
  const described = await registry.getMetricsAsJSON()
  t.equal(described.length, Object.keys(metrics).length, 'each is registered once')
  for (const { name, help, type } of described) {
    t.match(name, /^holdfast_[a-z]+(_[a-z]+)*$/, name)
    t.ok(help.length > 10, `${name} has help`)
    t.notMatch(name, /_(ms|milliseconds|minutes|kb|mb|kilobytes|megabytes|percent)(_|$)/, `${name} is in base units`)
    t.equal(name.endsWith('_total'), type === 'counter', `${name} ends in _total if it counts`)
    if (/duration|delay|pause/.test(name)) t.match(name, /_seconds$/)
    if (/bytes/.test(name)) t.match(name, /_bytes$/)
  }
  for (const metric of Object.values(metrics) as unknown as Described[]) {
    for (const label of metric.labelNames ?? []) t.ok(bounded.includes(label), `${metric.name}: ${label}`)
  }
})

void t.test('publish counts, errors and latency are there by version', async (t) => {
  const metrics = createMetrics()
  metrics.published.inc({ destination_version: 'v2' })
  metrics.commands.inc({ method: 'publish', destination_version: 'v2', result: '111' })
  metrics.commandDuration.observe({ method: 'publish', destination_version: 'v2', result: 'ok' }, 0.004)
  const text = await metrics.registry.metrics()
  t.match(text, /^holdfast_published_total\{destination_version="v2"\} 1$/m)
  t.match(text, /^holdfast_commands_total\{method="publish",destination_version="v2",result="111"\} 1$/m)
  t.match(text, /^holdfast_command_duration_seconds_bucket\{[^}]*le="0\.005"[^}]*\} 1$/m)
  t.match(text, /^holdfast_command_duration_seconds_bucket\{[^}]*le="0\.003"[^}]*\} 0$/m)
})

void t.test('two processes in one program share nothing', async (t) => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.deliveries.inc()
  t.match(await other.registry.metrics(), /^holdfast_deliveries_total 0$/m)
})

void t.test("a real process adds Node's own", async (t) => {
  const registry = new Registry()
  collectProcessMetrics(registry)
  const text = await registry.metrics()
  t.match(text, /^process_resident_memory_bytes \d/m)
  t.match(text, /^nodejs_eventloop_lag_seconds/m)
})
