import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { FaultFlags } from './commands/faults/set.ts'
import { addConfigFlags, loadCommandConfig } from './config-flags.ts'

/** What the commands have from the program that they are part of. */
export interface FaultCommandsOptions {
  /** Configuration keys that lead to the cluster. */
  clusterKeys: readonly string[]
  examples: (command: Command, ...lines: string[]) => void
}

/** `holdfast fault`: list, set and clear. */
export function addFaultCommands(program: Command, { clusterKeys, examples }: FaultCommandsOptions): void {
  const fault = program.command('fault').description('make something go wrong on purpose; docs/fault-injection.md')
  const finish = (command: Command, ...lines: string[]) => {
    command.option('--json', 'print JSON')
    addConfigFlags(command, clusterKeys)
    examples(command, ...lines)
  }
  const configOf = (command: Command) => loadCommandConfig(command).config
  const isJson = (command: Command): boolean => command.opts()['json'] === true

  const list = fault.command('list').description('list the faults that are set')
  finish(list, 'holdfast fault list')
  list.action(async () => (await import('./commands/faults/list.ts')).listFaults(configOf(list), isJson(list)))

  const set = fault
    .command('set')
    .description('set a fault, or another one in its place')
    .argument('[name]', 'its name; with -f the one in the file, unless it is given')
    .option('-f, --filename <path>', 'a YAML or JSON file, or - for standard input, in place of the flags below')
    .option('--stage <stage>', 'where it strikes')
    .option('--delay <duration>', 'what is struck waits so long')
    .option('--abort', 'what is struck fails')
    .option('--kill', 'the process ends as SIGKILL ends it')
    .option('--percentage <n>', 'of what matches', parseNumber, 100)
    .option('--code <n>', 'error of an aborted command', parseNumber)
    .option('--ws-close-code <n>', 'code that an aborted connection is closed with', parseNumber)
    .option('--namespace <text>', 'limits it; the whole text, or its beginning and a *')
    .option('--group <text>', 'limits it to slot groups, as above')
    .option('--worker-version <text>', 'limits it to versions of workers, as above')
    .option('--user <text>', 'limits it to users, as above')
    .option('--seed <n>', 'the same seed strikes the same', parseNumber)
    .option('--expires-after <duration>', 'time after which it ends by itself')
  finish(
    set,
    'holdfast fault set slow --stage db --delay 200ms --percentage 10 --expires-after 10m',
    'holdfast fault set deadly --stage worker.afterCommit --kill --percentage 0.1 --worker-version v2',
    'holdfast fault set -f fault.yaml',
  )
  set.action(async (given: string | undefined) => {
    const { faultFile, faultOf, setFault } = await import('./commands/faults/set.ts')
    const flags = set.opts<FaultFlags & { filename?: string }>()
    const read = flags.filename === undefined ? undefined : await faultFile(flags.filename)
    const name = given ?? read?.name
    if (name === undefined) throw new InvalidArgumentError('a fault has a name.')
    await setFault(configOf(set), name, read === undefined ? faultOf(flags) : read.fault, isJson(set))
  })

  const clear = fault
    .command('clear')
    .description('clear a fault')
    .argument('[name]', 'of the fault')
    .option('--all', 'all that were set by themselves')
  finish(clear, 'holdfast fault clear slow', 'holdfast fault clear --all')
  clear.action(async (name: string | undefined) => {
    const all = clear.opts()['all'] === true
    if ((name === undefined) !== all) throw new InvalidArgumentError('name a fault, or say --all.')
    await (await import('./commands/faults/clear.ts')).clearFaults(configOf(clear), name ?? null, isJson(clear))
  })
}

function parseNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(value)) throw new InvalidArgumentError('allowed: a number.')
  return value
}
