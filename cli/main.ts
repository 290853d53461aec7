import { exitCodes, fatal } from '../platform/exit-codes.ts'
import { followParent } from '../platform/lifeline.ts'
import { resolvedConfigVariable } from '../platform/resolved-config.ts'

/**
 * The command line. A child of a supervisor gets its configuration ready-made and loads nothing but its role.
 * `arguments_` are those after the command's own name.
 */
export async function main(arguments_: string[]): Promise<void> {
  followParent()
  const resolved = process.env[resolvedConfigVariable]
  if (resolved !== undefined) {
    const { runRole } = await import('./roles/roles.ts')
    return runRole(arguments_[0] ?? '', JSON.parse(resolved))
  }
  const [{ createProgram }, { ConfigError }, { ControllerError }] = await Promise.all([
    import('./program.ts'),
    import('../config/errors.ts'),
    import('./client/errors.ts'),
  ])
  try {
    await createProgram().parseAsync(arguments_, { from: 'user' })
  } catch (error) {
    if (error instanceof ConfigError) fatal('holdfast', exitCodes.badConfig, error.message)
    if (error instanceof ControllerError) fatal('holdfast', exitCodes.failure, error.message)
    throw error
  }
}
