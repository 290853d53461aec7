import type { Command } from 'commander'
import { Option } from 'commander'
import { defaultText } from '../config/docs.ts'
import { configKeys } from '../config/keys.ts'
import type { ConfigKey } from '../config/keys.ts'
import { loadConfig } from '../config/load.ts'
import type { LoadedConfig } from '../config/load.ts'

/**
 * Gives a command the flags of the keys that it uses: `uses` are whole keys or sections. The keys of the command's own
 * section go without its name, as in `worker --version v2`, and with it all the same.
 */
export function addConfigFlags(command: Command, uses: readonly string[] = []): void {
  command.addOption(new Option('--config <file>', 'configuration file').helpGroup(helpGroup))
  for (const key of flagKeys(uses)) {
    const { own, full } = flagNames(command, key)
    if (own !== full) command.addOption(new Option(`--${full} <value>`).hideHelp())
    command.addOption(new Option(`--${own} <value>`, help(key)).helpGroup(helpGroup))
  }
}

const helpGroup = 'Configuration:'

/** All keys where `uses` is empty. A secret is never a flag, because command lines can be read by everybody. */
function flagKeys(uses: readonly string[]): ConfigKey[] {
  return configKeys.filter(
    ({ path, secret }) =>
      !secret && (uses.length === 0 || uses.some((used) => path === used || path.startsWith(`${used}.`))),
  )
}

function flagNames(command: Command, { path }: ConfigKey): { own: string; full: string } {
  const prefix = `${command.name()}.`
  return { own: path.startsWith(prefix) ? path.slice(prefix.length) : path, full: path }
}

function help(key: ConfigKey): string {
  return `${key.description} (env: ${key.env}, default: ${defaultText(key) || 'empty'})`
}

/** The configuration of a command that was given `addConfigFlags`. Throws ConfigError. */
export function loadCommandConfig(command: Command, { dev = false } = {}): LoadedConfig {
  const options = command.opts<Record<string, string | undefined>>()
  const flags: Record<string, string> = {}
  for (const key of configKeys) {
    const { own, full } = flagNames(command, key)
    const text = options[full] ?? (own === full ? undefined : options[own])
    if (text !== undefined) flags[key.path] = text
  }
  const file = options['config']
  return loadConfig({ ...(file === undefined ? {} : { file }), env: process.env, flags, cwd: process.cwd(), dev })
}
