import { Option } from 'commander'
import type { Command } from 'commander'
import { exitCodes } from '../platform/exit-codes.ts'
import type { ResourceFormat } from './commands/resources/get.ts'
import { addConfigFlags, loadCommandConfig } from './config-flags.ts'

/** What the commands have from the program that they are part of. */
export interface ResourceCommandsOptions {
  /** Configuration keys that lead to the cluster. */
  clusterKeys: readonly string[]
  examples: (command: Command, ...lines: string[]) => void
}

const files = () =>
  new Option('-f, --filename <path...>', 'a file, a folder of .yaml, .yml and .json files, or - for standard input')

const kindHelp = 'virtualservice (vs), destinationrule (dr), rollout (ro) or analysistemplate (at)'

/** Adds what people do with resources, by the names that kubectl has. */
export function addResourceCommands(program: Command, { clusterKeys, examples }: ResourceCommandsOptions): void {
  const add = (name: string, summary: string): Command => program.command(name).description(summary)
  const finish = (command: Command, ...lines: string[]) => {
    addConfigFlags(command, clusterKeys)
    examples(command, ...lines)
    return command
  }
  const configOf = (command: Command) => loadCommandConfig(command).config
  const isJson = (command: Command): boolean => command.opts()['json'] === true
  const pathsOf = (command: Command): string[] => command.opts<{ filename: string[] }>().filename

  const apply = add('apply', 'make the cluster be as files say, all of it or nothing')
    .addOption(files().makeOptionMandatory())
    .option('--json', 'print JSON')
  finish(
    apply,
    'holdfast apply -f canary.yaml',
    'holdfast apply -f resources/',
    'cat canary.yaml | holdfast apply -f -',
  )
  apply.action(async () =>
    (await import('./commands/resources/apply.ts')).apply(configOf(apply), pathsOf(apply), isJson(apply)),
  )

  const get = add('get', 'print resources')
    .argument('<kind>', `${kindHelp}, all, or config: which process follows which revision`)
    .argument('[name]', 'one of them')
    .addOption(new Option('-o, --output <format>', 'how').choices(['table', 'yaml', 'json']).default('table'))
  finish(get, 'holdfast get rollouts', 'holdfast get vs chat -o yaml', 'holdfast get config')
  get.action(async (kind: string, name: string | undefined) => {
    const { output } = get.opts<{ output: ResourceFormat }>()
    const module = await import('./commands/resources/get.ts')
    if (kind === 'config') return module.getConfig(configOf(get), output)
    return module.get(configOf(get), kind, name ?? null, output)
  })

  const describe = add('describe', 'print a resource, what is to be said of it, and what it was')
    .argument('<kind>', kindHelp)
    .argument('<name>', 'its name')
    .option('--json', 'print JSON')
  finish(describe, 'holdfast describe rollout chat')
  describe.action(async (kind: string, name: string) =>
    (await import('./commands/resources/describe.ts')).describe(configOf(describe), kind, name, isJson(describe)),
  )

  const remove = add('delete', 'delete resources, unless others need them')
    .argument('[kind]', kindHelp)
    .argument('[name]', 'its name')
    .addOption(files())
    .option('--json', 'print JSON')
  finish(remove, 'holdfast delete rollout chat', 'holdfast delete -f canary.yaml')
  remove.action(async (kind: string | undefined, name: string | undefined) => {
    const { filename } = remove.opts<{ filename?: string[] }>()
    const module = await import('./commands/resources/delete.ts')
    if (filename !== undefined && kind === undefined)
      return module.deleteFiles(configOf(remove), filename, isJson(remove))
    if (filename !== undefined || kind === undefined || name === undefined)
      return remove.error('error: say which: either KIND NAME, or -f FILE')
    return module.deleteOne(configOf(remove), kind, name, isJson(remove))
  })

  const validate = add('validate', 'check files, with the cluster where one answers; nothing is changed')
    .addOption(files().makeOptionMandatory())
    .option('--json', 'print JSON')
  finish(validate, 'holdfast validate -f canary.yaml')
  validate.action(async () =>
    (await import('./commands/resources/validate.ts')).validate(
      configOf(validate),
      pathsOf(validate),
      isJson(validate),
    ),
  )

  const diff = add(
    'diff',
    'print what applying files would change; ends with 0 for nothing, 1 for something, 2 for trouble',
  )
    .addOption(files().makeOptionMandatory())
    // What it was asked wrongly is no difference.
    .exitOverride(({ exitCode }) => process.exit(exitCode === exitCodes.ok ? exitCodes.ok : exitCodes.trouble))
  finish(diff, 'holdfast diff -f canary.yaml')
  diff.action(async () => (await import('./commands/resources/diff.ts')).diff(configOf(diff), pathsOf(diff)))

  const explain = add('explain', 'print what a kind of resources may say, or docs/resources.md').argument(
    '[kind]',
    kindHelp,
  )
  examples(explain, 'holdfast explain rollout', 'holdfast explain > docs/resources.md')
  explain.action(async (kind: string | undefined) =>
    (await import('./commands/resources/explain.ts')).explain(kind ?? null),
  )
}
