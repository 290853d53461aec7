import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../config/duration.ts'
import { configKeys } from '../config/keys.ts'
import { addConfigFlags, loadCommandConfig } from './config-flags.ts'
import { currentName } from './releases/releases.ts'

/** What the program has for all of its commands. */
interface Shared {
  /** Keys by which the cluster is found. */
  clusterKeys: readonly string[]
  examples: (command: Command, ...lines: string[]) => Command
}

/** Adds the commands for versions of the workers: deploy, rollback, releases. */
export function addReleaseCommands(program: Command, shared: Shared): void {
  addDeploy(program, shared)
  addRollback(program, shared)
  addReleases(program, shared)
}

function addDeploy(program: Command, { clusterKeys, examples }: Shared): void {
  const command = program
    .command('deploy')
    .description('keep a version of the workers as a release, and roll it out')
    .argument('<path>', 'an app module, a directory with one, or a whole checkout of Holdfast')
    .requiredOption('--version <version>', 'what it is called from now on', parseVersion)
    .option(
      '--canary <percents>',
      'shares of the slots that it gets one after the other (default: 10,50,100)',
      parseWeights,
    )
    .option('--pause <duration>', 'time between two of them (default: 30s)', parsePause)
    .option('--workers <number>', 'how many run it (default: as dev.workers says)', parseCount)
    .option('--watch', 'draw the rollout until it has ended; 0 when the version serves then, 1 otherwise')
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(
    command,
    'holdfast deploy ./app.ts --version v2 --watch',
    'holdfast deploy ../holdfast-next --version v3 --canary 5,25,100 --pause 10m',
  )
  command.action(async (path: string) => {
    const { config } = loadCommandConfig(command)
    const { canary, watch = false, json = false, workers = null, ...rest } = command.opts<DeployFlags>()
    const how = { ...rest, ...(canary && { weights: canary }), workers, watch, json }
    await (await import('./commands/deploy.ts')).deploy(config, { path, ...how })
  })
}

interface DeployFlags {
  version: string
  canary?: number[]
  pause?: string
  workers?: number
  watch?: boolean
  json?: boolean
}

function parseVersion(text: string): string {
  const { pattern = '', allowed } = configKeys.find(({ path }) => path === 'worker.version')!.schema
  if (!new RegExp(pattern).test(text) || text === currentName)
    throw new InvalidArgumentError(`allowed: ${allowed}; not "${currentName}".`)
  return text
}

function parseWeights(text: string): number[] {
  const weights = text.split(',').map((part) => (/^\s*\d{1,3}\s*$/.test(part) ? Number(part) : NaN))
  const isRising = weights.every((weight, index) => weight <= 100 && weight > (weights[index - 1] ?? 0))
  if (!isRising) throw new InvalidArgumentError('allowed: rising percents such as 10,50,100.')
  return weights
}

function parsePause(text: string): string {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('allowed: a duration such as 30s or 10m; 0s for none.')
  return ms === 0 ? '' : text
}

function parseCount(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 64) throw new InvalidArgumentError('allowed: a number from 1 to 64.')
  return count
}

function addRollback(program: Command, { clusterKeys, examples }: Shared): void {
  const command = program
    .command('rollback')
    .description('go back to the release that served before; needs no network and no build')
    .option('--to <version>', 'the version to go back to')
    .option('--json', 'print JSON')
  addConfigFlags(command, clusterKeys)
  examples(command, 'holdfast rollback', 'holdfast rollback --to v1')
  command.action(async () => {
    const { config } = loadCommandConfig(command)
    const { to = null, json = false } = command.opts<{ to?: string; json?: boolean }>()
    await (await import('./commands/rollback.ts')).rollback(config, { to, json })
  })
}

function addReleases(program: Command, { examples }: Shared): void {
  const command = program
    .command('releases')
    .description('list the releases that are kept, the newest first')
    .option('--json', 'print JSON')
  addConfigFlags(command, ['data_dir'])
  examples(command, 'holdfast releases', 'holdfast releases --json')
  command.action(async () => {
    const { config } = loadCommandConfig(command)
    const { json = false } = command.opts<{ json?: boolean }>()
    ;(await import('./commands/releases.ts')).listReleases(config, json)
  })
}
