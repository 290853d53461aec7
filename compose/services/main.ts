import { ConfigError } from '../../config/errors.ts'
import { loadConfig } from '../../config/load.ts'
import { exitCodes } from '../../platform/exit-codes.ts'
import { ServiceError } from './errors.ts'
import { servicesDown, servicesUp } from './services.ts'

/**
 * `npm run services:up` and `services:down`. What is being done goes to stderr; stdout gets the two variables that name
 * the services, and nothing else.
 */

const say = (line: string): void => void process.stderr.write(`services: ${line}\n`)

/** The URLs are looked at here: `data_dir` is all that is taken from the configuration. */
function dataDir(): string {
  const { HOLDFAST_LOG: _log, HOLDFAST_STORE: _store, ...env } = process.env
  return loadConfig({ env, flags: {}, cwd: process.cwd() }).config.data_dir
}

async function main([command]: string[]): Promise<void> {
  if (command === 'down') return servicesDown({ dataDir: dataDir(), say })
  if (command !== 'up') throw new ServiceError('say "up" or "down"')
  const { log, store } = await servicesUp({ dataDir: dataDir(), env: process.env, say })
  process.stdout.write(`HOLDFAST_LOG=${log}\nHOLDFAST_STORE=${store}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ServiceError || error instanceof ConfigError)) throw error
  say(error.message)
  process.exitCode = exitCodes.failure
}
