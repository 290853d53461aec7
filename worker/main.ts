import { openStoreGround } from '../cluster/ground.ts'
import { runProcess } from '../cluster/process.ts'
import type { Config } from '../config/config.ts'
import { exitCodes } from '../platform/exit-codes.ts'
import type { App } from '../protocol/app/contract.ts'
import { Worker } from './worker.ts'

/** The worker process: what it stands on, the app that `load` gets, the life cycle. */
export async function runWorker(config: Config, load: () => Promise<App>): Promise<void> {
  await runProcess('worker', config, async (shell) => {
    let worker: Worker | null = null
    const { env, internal, close } = await openStoreGround(config, shell, {
      ready: () => worker?.ready ?? 'starting',
    })
    const { version } = config.worker
    // A broken one has said why.
    const ended = (why: 'drained' | 'broken') => (why === 'drained' ? shell.stop(why) : process.exit(exitCodes.failure))
    worker = new Worker(env, { config, version, pid: process.pid, internal, ended })
    await shell.services.needed(['log'], () => worker.join())
    worker.serve(await loaded(worker, load))
    shell.logger.info({ id: worker.id, version }, 'worker is up')
    return {
      async stop() {
        await worker.drain(config.shutdown.timeout / 3)
        await close()
      },
    }
  })
}

/** The app; a worker that has none says so before it ends. */
async function loaded(worker: Worker, load: () => Promise<App>): Promise<App> {
  try {
    return await load()
  } catch (error) {
    await worker.fail(String(error).replaceAll(/\s+/g, ' '))
    throw error
  }
}
