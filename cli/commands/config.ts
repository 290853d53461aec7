import { configDocs } from '../../config/docs.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { printConfig, printableConfig } from '../../config/print.ts'
import { printJson } from '../output/output.ts'

/** Prints that the configuration is good, and what it warns of. A bad one has thrown before. */
export function configCheck({ warnings }: LoadedConfig, json: boolean): void {
  if (json) return printJson({ ok: true, warnings })
  warn(warnings)
  process.stdout.write('the configuration is good\n')
}

/** Prints what is in force, without secrets. */
export function configPrint({ config, warnings }: LoadedConfig, json: boolean): void {
  warn(warnings)
  if (json) printJson(printableConfig(config))
  else process.stdout.write(printConfig(config))
}

/** Prints docs/configuration.md. */
export function printDocs(): void {
  process.stdout.write(configDocs())
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
}
