import { checkpointPages } from '../../engine/server/checkpoints.ts'
import { runEngine } from '../../engine/server/engine.ts'
import { quietLogger } from '../support/loggers.ts'

/**
 * An engine as a process of its own: `engine-process.ts <data dir> [normal|full] [busy]`. A busy one works its write-ahead
 * log into the file all the time, and begins it anew. Says one line when it is up.
 */
const [dataDir, sync = 'normal', busy] = process.argv.slice(2)
if (dataDir === undefined) throw new Error('usage: engine-process.ts DATA_DIR [normal|full] [busy]')
if (busy !== undefined) Object.assign(checkpointPages, { pass: 10, restart: 100, tail: 50, bound: 300 })

const engine = await runEngine({
  dataDir,
  sync: sync === 'full' ? 'full' : 'normal',
  logger: quietLogger,
  onFatal: (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  },
})
process.once('SIGTERM', () => void engine.stop().then(() => process.exit(0)))
process.stdout.write('up\n')
