import { Command, InvalidArgumentError } from 'commander'
import type { Config } from '../config/config.ts'
import { parseDuration } from '../config/duration.ts'
import { packageVersion } from '../platform/package-version.ts'
import { addConfigFlags, loadCommandConfig } from './config-flags.ts'
import { addFaultCommands } from './fault-commands.ts'
import { addReleaseCommands } from './release-commands.ts'
import { addResourceCommands } from './resource-commands.ts'
import type { Role } from './roles/roles.ts'

/** Sections that each long-lived process uses. */
const roleSections: Record<Role, string[]> = {
  engine: ['data_dir', 'log', 'store', 'log_level', 'engine', 'shutdown'],
  proxy: [
    'data_dir',
    'log',
    'log_level',
    'http_server',
    'client',
    'channel',
    'websocket',
    'proxy',
    'topics',
    'shutdown',
  ],
  worker: ['data_dir', 'log', 'store', 'log_level', 'http_server', 'worker', 'topics', 'shutdown'],
  controller: ['data_dir', 'log', 'store', 'log_level', 'http_server', 'controller', 'worker', 'topics', 'shutdown'],
}

const roleSummaries: Record<Role, string> = {
  engine: 'run the embedded log and store',
  proxy: 'run a proxy, which holds the clients',
  worker: 'run a worker; beside "holdfast dev" it joins that cluster',
  controller: 'run a controller, which places slots and serves the API',
}

const roleExamples: Record<Role, string> = {
  engine: 'holdfast engine --data_dir /var/lib/holdfast --sync full',
  proxy: 'holdfast proxy --http_server.port 9000',
  worker: 'holdfast worker --version v2',
  controller: 'holdfast controller --port 9080',
}

/** Finds the cluster: the port of its controller and the directory with the token. */
const clusterKeys = ['data_dir', 'controller.address', 'controller.port']

/** The command `holdfast`. Actions load what they need when they run. */
export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('Deploy a stateful chat service without closing a socket.')
    // Without it `worker --version v2` would be the program's own --version.
    .enablePositionalOptions()
    .version(packageVersion)
    .showSuggestionAfterError()
  addDev(program)
  for (const role of ['engine', 'proxy', 'worker', 'controller'] as const) addRole(program, role)
  addMigrate(program)
  addList(program, 'workers', 'list the live workers')
  addReset(addList(program, 'slots', 'list the slots, or reset one'))
  addList(program, 'proxies', 'list the live proxies')
  addDrain(program)
  addTraffic(program)
  addResourceCommands(program, { clusterKeys, examples })
  addFaultCommands(program, { clusterKeys, examples })
  addReleaseCommands(program, { clusterKeys, examples })
  addAudit(program)
  addRollout(program)
  addToken(program)
  addConfig(program)
  return program
}

const examples = (command: Command, ...lines: string[]) =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`)

function addDev(program: Command): void {
  const command = program.command('dev').description('run a whole cluster on this machine, and restart what dies')
  addConfigFlags(command)
  examples(command, 'holdfast dev', 'holdfast dev --workers 4 --http_server.port 9000')
  command.action(async () => {
    const loaded = loadCommandConfig(command, { dev: true })
    await (await import('./commands/dev.ts')).dev(loaded)
  })
}

function addRole(program: Command, role: Role): void {
  const command = program.command(role).description(roleSummaries[role])
  addConfigFlags(command, roleSections[role])
  examples(command, roleExamples[role])
  command.action(async () => {
    const { config, warnings } = loadCommandConfig(command)
    for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
    const { runRole } = await import('./roles/roles.ts')
    await runRole(role, await withRoleSecret(role, config))
  })
}

function addMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('make or upgrade the tables of the store, make or check the topics of the log')
  addConfigFlags(command, ['data_dir', 'log', 'store', 'topics'])
  examples(command, 'HOLDFAST_STORE_FILE=/run/secrets/migration-url holdfast migrate')
  command.action(async () => {
    const { config } = loadCommandConfig(command)
    await (await import('./commands/migrate.ts')).migrate(config)
  })
}

/** A controller keeps its tokens for the command line; a proxy checks tokens with the secret that `dev` may have kept. */
async function withRoleSecret(role: Role, config: Config): Promise<Config> {
  const { withFoundSecret, withSecret } = await import('../config/secrets.ts')
  if (role === 'controller') return withSecret(withSecret(config, 'controllerToken'), 'controllerReadToken')
  return role === 'proxy' ? withFoundSecret(config, 'clientSecret') : config
}

function addList(program: Command, kind: 'workers' | 'slots' | 'proxies', summary: string): Command {
  const command = program.command(kind).description(summary).option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, `holdfast ${kind}`, `holdfast ${kind} --json`)
  return command.action(async () => {
    const { config } = loadCommandConfig(command)
    await (await import('./commands/list.ts')).list(kind, config, command.opts()['json'] === true)
  })
}

function addReset(slots: Command): void {
  const command = slots
    .command('reset')
    .description('let a halted slot go on from another place of its log')
    .argument('<slot>', 'for example default/7')
    .requiredOption('--to <place>', 'oldest, end, or an offset', parsePlace)
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast slots reset default/7 --to oldest')
  command.action(async (slot: string) => {
    const { config } = loadCommandConfig(command)
    const { to, json = false } = command.opts<{ to: string | number; json?: boolean }>()
    await (await import('./commands/reset-slot.ts')).resetSlot(config, { slot, to, json })
  })
}

function parsePlace(text: string): string | number {
  if (text === 'oldest' || text === 'end') return text
  const offset = /^\d+$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(offset)) throw new InvalidArgumentError('allowed: oldest, end, or an offset.')
  return offset
}

function addDrain(program: Command): void {
  const drain = program.command('drain').description('take the work from a process before it ends')
  const command = drain
    .command('worker')
    .description('move every slot of a worker elsewhere; the worker then ends')
    .argument('<id>', 'as `holdfast workers` shows it')
    .option('--force', 'even when no other worker lives')
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast drain worker w-6f2c01d4a9be', 'holdfast drain worker w-6f2c01d4a9be --force --json')
  command.action(async (id: string) => {
    const { config } = loadCommandConfig(command)
    const { force = false, json = false } = command.opts<{ force?: boolean; json?: boolean }>()
    await (await import('./commands/drain.ts')).drainWorker(config, { id, force, json })
  })
  addDrainVersion(drain)
}

const rolloutOrders = {
  promote: 'go on from a pause, or pass over the present step',
  pause: 'hold it where it is',
  resume: 'go on from a pause',
  abort: 'give every slot back to the stable version',
  undo: 'go back to the version of a revision before',
  restart: 'replace the workers of the version that serves, one after the other',
  retry: 'begin again after an abort',
} as const

function addRollout(program: Command): void {
  const rollout = program.command('rollout').description('look at rollouts, and tell them what to do')
  addRolloutLooks(rollout)
  for (const [order, summary] of Object.entries(rolloutOrders)) {
    const command = rollout.command(order).description(summary).argument('<name>', 'of the Rollout')
    if (order === 'promote') command.option('--full', 'pass over all steps, gates and analyses that are left')
    if (order === 'undo') command.option('--to-revision <number>', 'as `rollout get --json` has it', parseRevision)
    command.option('--json', 'print JSON')
    addConfigFlags(command, clusterKeys)
    examples(command, `holdfast rollout ${order} chat`)
    command.action(async (name: string) => {
      const { config } = loadCommandConfig(command)
      const { json = false, full, toRevision } = command.opts<{ json?: boolean; full?: boolean; toRevision?: number }>()
      const body = { ...(full && { full }), ...(toRevision !== undefined && { to_revision: toRevision }) }
      await (await import('./commands/rollout.ts')).orderRollout(config, { name, order, body, json })
    })
  }
}

function addRolloutLooks(rollout: Command): void {
  const get = rollout.command('get').description('show a rollout, or all').argument('[name]', 'of the Rollout')
  get.option('--watch', 'until it has ended').option('--json', 'print JSON')
  addConfigFlags(get, clusterKeys)
  examples(get, 'holdfast rollout get', 'holdfast rollout get chat --watch')
  get.action(async (name: string | undefined) => {
    const { config } = loadCommandConfig(get)
    const { json = false, watch = false } = get.opts<{ json?: boolean; watch?: boolean }>()
    await (await import('./commands/rollout.ts')).getRollout(config, { name, json, watch })
  })
  const status = rollout.command('status').description('end with 0 when it is Healthy, and with 1 otherwise')
  status.argument('<name>', 'of the Rollout').option('--json', 'print JSON')
  status.option('--timeout <duration>', 'wait so long for its end', parseLifetime)
  addConfigFlags(status, clusterKeys)
  examples(status, 'holdfast rollout status chat', 'holdfast rollout status chat --timeout 10m')
  status.action(async (name: string) => {
    const { config } = loadCommandConfig(status)
    const { json = false, timeout: timeoutMs = null } = status.opts<{ json?: boolean; timeout?: number }>()
    await (await import('./commands/rollout.ts')).rolloutStatus(config, { name, json, timeoutMs })
  })
  const report = rollout.command('report').description('print what a rollout that ended came to')
  report.argument('<name>', 'of the Rollout').option('--revision <number>', 'the last one otherwise', parseRevision)
  report.option('--json', 'print JSON').option('--markdown', 'print Markdown, as without an option')
  addConfigFlags(report, clusterKeys)
  examples(report, 'holdfast rollout report chat', 'holdfast rollout report chat --json')
  report.action(async (name: string) => {
    const { config } = loadCommandConfig(report)
    const { json = false, revision = null } = report.opts<{ json?: boolean; revision?: number }>()
    await (await import('./commands/rollout.ts')).rolloutReport(config, { name, revision, json })
  })
}

function parseRevision(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('allowed: a number from 1.')
  return Number(text)
}

function addDrainVersion(drain: Command): void {
  const command = drain
    .command('version')
    .description('move every slot of all workers of a version elsewhere; the workers then end')
    .argument('<version>', 'as `holdfast workers` shows it')
    .option('--force', 'even when no worker of another version lives')
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast drain version v1', 'holdfast drain version v1 --force --json')
  command.action(async (id: string) => {
    const { config } = loadCommandConfig(command)
    const { force = false, json = false } = command.opts<{ force?: boolean; json?: boolean }>()
    await (await import('./commands/drain.ts')).drainVersion(config, { id, force, json })
  })
}

function addTraffic(program: Command): void {
  const command = program
    .command('traffic')
    .description('show how slots are to be shared among versions, and are')
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast traffic', 'holdfast traffic --json')
  command.action(async () => {
    const { config } = loadCommandConfig(command)
    await (await import('./commands/traffic.ts')).traffic(config, command.opts()['json'] === true)
  })
}

function addToken(program: Command): void {
  const command = program
    .command('token')
    .description('print a connection token for a user')
    .argument('<user>', 'user id')
    .option('--expire <duration>', 'how long it is valid', parseLifetime, parseLifetime('1h'))
  addConfigFlags(command, ['data_dir'])
  examples(command, 'holdfast token alice', 'holdfast token alice --expire 10m')
  command.action(async (user: string) => {
    const { config } = loadCommandConfig(command)
    const { expire } = command.opts<{ expire: number }>()
    await (await import('./commands/token.ts')).token(config, user, expire)
  })
}

function parseLifetime(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < 1_000) throw new InvalidArgumentError('allowed: a duration of 1s or more, such as 1h.')
  return ms
}

function addAudit(program: Command): void {
  const command = program
    .command('audit')
    .description('show who changed what, newest first')
    .option('--limit <n>', 'entries at most', parseLimit, 20)
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast audit', 'holdfast audit --limit 100 --json')
  command.action(async () => {
    const { config } = loadCommandConfig(command)
    const { limit, json = false } = command.opts<{ limit: number; json?: boolean }>()
    await (await import('./commands/audit.ts')).audit(config, limit, json)
  })
}

function parseLimit(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 500) throw new InvalidArgumentError('allowed: a whole number from 1 to 500.')
  return limit
}

function addConfig(program: Command): void {
  const config = program.command('config').description('look at the configuration')
  const check = config
    .command('check')
    .description('tell whether the configuration is good')
    .option('--json', 'print JSON')
  addConfigFlags(check)
  examples(check, 'holdfast config check --config holdfast.yaml')
  check.action(async () => {
    const loaded = loadCommandConfig(check)
    ;(await import('./commands/config.ts')).configCheck(loaded, check.opts()['json'] === true)
  })
  const print = config
    .command('print')
    .description('print what is in force, secrets left out')
    .option('--json', 'print JSON')
  addConfigFlags(print)
  examples(print, 'holdfast config print', 'HOLDFAST_LOG_LEVEL=debug holdfast config print --json')
  print.action(async () => {
    const loaded = loadCommandConfig(print)
    ;(await import('./commands/config.ts')).configPrint(loaded, print.opts()['json'] === true)
  })
  const docs = config.command('docs').description('print the page docs/configuration.md')
  examples(docs, 'holdfast config docs > docs/configuration.md')
  docs.action(async () => (await import('./commands/config.ts')).printDocs())
}
