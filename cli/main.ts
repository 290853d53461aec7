import type { Config } from '../config/config.ts'
import { exitCodes, fatal } from '../platform/exit-codes.ts'
import { followParent } from '../platform/lifeline.ts'
import { neighbourVariable, resolvedConfigVariable } from '../platform/resolved-config.ts'

/**
 * The command line. A child of a supervisor gets its configuration ready-made and loads nothing but its role.
 * `arguments_` are those after the command's own name.
 */
export async function main(arguments_: string[]): Promise<void> {
  followParent()
  const resolved = process.env[resolvedConfigVariable]
  if (resolved !== undefined) {
    const { runRole } = await import('./roles/roles.ts')
    return runRole(arguments_[0] ?? '', await ownConfig(JSON.parse(resolved)))
  }
  const [{ createProgram }, { ConfigError }, { ControllerError }, { ReleaseError }] = await Promise.all([
    import('./program.ts'),
    import('../config/errors.ts'),
    import('./client/errors.ts'),
    import('./releases/errors.ts'),
  ])
  try {
    await createProgram().parseAsync(arguments_, { from: 'user' })
  } catch (error) {
    if (error instanceof ConfigError) fatal('holdfast', exitCodes.badConfig, error.message)
    if (error instanceof ControllerError || error instanceof ReleaseError)
      fatal('holdfast', exitCodes.failure, error.message)
    throw error
  }
}

/** The schema is loaded only where it may be another one than that of who made the configuration. */
async function ownConfig(config: Config): Promise<Config> {
  if (process.env[neighbourVariable] === undefined) return config
  return (await import('../config/keys.ts')).completed(config)
}
