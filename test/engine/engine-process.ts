import { pino } from 'pino'
import { runEngine } from '../../engine/main.ts'

/** An engine as a process of its own: `engine-process.ts <data dir> [normal|full]`. Says one line when it is up. */
const [dataDir, sync = 'normal'] = process.argv.slice(2)
if (dataDir === undefined) throw new Error('usage: engine-process.ts DATA_DIR [normal|full]')

const engine = await runEngine({
  dataDir,
  sync: sync === 'full' ? 'full' : 'normal',
  logger: pino({ level: 'silent' }),
  onFatal: (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  },
})
process.once('SIGTERM', () => void engine.stop().then(() => process.exit(0)))
process.stdout.write('up\n')
