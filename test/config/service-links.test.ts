/** Proves that what Kubernetes puts into a container for a service of our name is a warning and never a setting. */
import t from 'tap'
import { loadConfig } from '../../config/load.ts'

/** The variables of a service, as kubelet makes them. */
function link(prefix: string, address: string, port: number): Record<string, string> {
  const tcp = `${prefix}_PORT_${port}_TCP`
  return {
    [`${prefix}_SERVICE_HOST`]: address,
    [`${prefix}_SERVICE_PORT`]: String(port),
    [`${prefix}_SERVICE_PORT_HTTP_API`]: String(port),
    [`${prefix}_PORT`]: `tcp://${address}:${port}`,
    [tcp]: `tcp://${address}:${port}`,
    [`${tcp}_PROTO`]: 'tcp',
    [`${tcp}_PORT`]: String(port),
    [`${tcp}_ADDR`]: address,
  }
}

void t.test('services of our names', async (t) => {
  const cwd = t.testdir({})
  const env = {
    ...link('HOLDFAST', '10.96.0.10', 8000),
    ...link('HOLDFAST_CONTROLLER', '10.96.0.12', 8080),
    ...link('HOLDFAST_HTTP_SERVER', '10.96.0.13', 80),
    ...link('HOLDFAST_HTTP_SERVER_INTERNAL', 'fd00::1', 9000),
    HOLDFAST_WORKER_VERSION: 'v2',
  }
  const { config, warnings } = loadConfig({ env, flags: {}, cwd })
  const defaults = loadConfig({ env: {}, flags: {}, cwd }).config
  t.same(config, { ...defaults, worker: { ...defaults.worker, version: 'v2' } })
  t.same(
    warnings.map((warning) => warning.split(' ')[0]),
    ['HOLDFAST_…', 'HOLDFAST_CONTROLLER_…', 'HOLDFAST_HTTP_SERVER_…', 'HOLDFAST_HTTP_SERVER_INTERNAL_…'],
    'one line for each',
  )
})

void t.test('a port is a port, and a bad one an error', async (t) => {
  const load = (port: string) => loadConfig({ env: { HOLDFAST_CONTROLLER_PORT: port }, flags: {}, cwd: t.testdir({}) })
  t.equal(load('9090').config.controller.port, 9_090)
  t.same(load('9090').warnings, [])
  for (const bad of ['10.96.0.12:8080', 'http://10.96.0.12:8080', 'tcp://10.96.0.12'])
    t.throws(() => load(bad), { name: 'ConfigError', message: /^controller\.port/ }, bad)
})
